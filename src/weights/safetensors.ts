// safetensors (huggingface/safetensors): the length of the header in 64 bits, little endian; the header in
// JSON, { name: { dtype, shape, data_offsets: [begin, end] }, __metadata__ }; the tensors end to end.

import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import { DTYPES } from "./dtypes";
import { bytesOf, checkPlaces, type Metadata, type Placed, someOf, WeightFile } from "./file";
import { type ReadOptions, Source, type WeightSource } from "./source";

const NAME = "readSafetensors";
/** What the format allows. */
const MOST_HEADER = 100_000_000;
/** Asked for at once: most headers, with their length. */
const FIRST = 2 ** 16;

const readOptions = reader<SafetensorsOptions>({ signal: 1, shard: 1 });

/** Options of `readSafetensors`. */
export interface SafetensorsOptions extends ReadOptions {
  /** Gives the files that an index names; those of an address lie beside it. */
  shard?: ((file: string) => WeightSource) | undefined;
}

/**
 * Opens a safetensors file, or the index of one that is in several
 * (`model.safetensors.index.json`). Only the header is read; tensors are when they are asked for.
 *
 * @throws ArgumentError (rejects) for a source that is none, an address that answers with an error or not
 *   at all, and a header that is damaged: its length past the end or above 100 MB, no JSON, a name twice, a dtype that
 *   does not exist, sizes that do not fit, tensors that overlap, leave a hole or lie outside.
 */
export async function readSafetensors(
  source: WeightSource,
  options: SafetensorsOptions = {},
): Promise<WeightFile> {
  const { signal, shard } = readOptions(NAME, options);
  const file = new Source(NAME, source, signal);
  const start = await file.start(FIRST);
  if (start[0] === OPEN) return readIndex(file, start, { signal, shard });
  const placed = new Map<string, Placed>();
  const metadata = await readHeader(file, start, placed);
  return new WeightFile(metadata, placed);
}

/** "{", which no header's length begins with that the format allows. */
const OPEN = 0x7b;

async function readHeader(
  file: Source,
  start: Uint8Array,
  into: Map<string, Placed>,
): Promise<Map<string, Metadata>> {
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  const length = start.length < 8 ? -1 : Number(view.getBigUint64(0, true));
  const most = Math.min(MOST_HEADER, file.byteLength - 8);
  if (length < 2 || length > most) {
    const expected =
      length < 0 ? "at least 10 bytes" : `a header of 2 to ${Math.max(most, 2)} bytes`;
    throw new ArgumentError(
      NAME,
      "source",
      expected,
      length < 0 ? `${start.length}, no file of this kind` : `${length}`,
    );
  }
  const data = 8 + length;
  const bytes = data <= start.length ? start.subarray(8, data) : await file.read(8, data);
  const header = parsed(bytes);
  const metadata = new Map<string, Metadata>();
  const placed = new Map<string, Placed>();
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") placed.set(name, placedOf(file, name, entry, data));
    else {
      if (!isObject(entry)) throw wrong(name, "an object of texts", entry);
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== "string") throw wrong(`${name}.${key}`, "a text", value);
        metadata.set(key, value);
      }
    }
  }
  checkPlaces(NAME, placed, [data, file.byteLength]);
  for (const [name, entry] of placed) {
    if (into.has(name)) throw new ArgumentError(NAME, name, "one tensor of a name", "two");
    into.set(name, entry);
  }
  return metadata;
}

/** The JSON of an object, each name once. */
function parsed(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  let written = 0;
  try {
    written = namesIn(bytes);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (error) {
    throw new ArgumentError(NAME, "source", "a header in JSON", String(error).slice(0, 100));
  }
  if (!isObject(header)) throw wrong("source", "a header that is an object", header);
  const names = Object.keys(header).length;
  if (written !== names) {
    throw new ArgumentError(NAME, "source", "each name once", `${written - names} more than once`);
  }
  return header;
}

const wrong = (argument: string, expected: string, received: unknown) =>
  new ArgumentError(NAME, argument, expected, describe(received));

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A header has sizes in an entry in an object; the parser takes minutes for 100 MB of brackets. */
const MOST_DEPTH = 8;
const QUOTE = 0x22;
const COLON = 0x3a;
const ESCAPE = 0x5c;
const CLOSE = 0x7d;

/** How many names an object's JSON has at its own level, by its bytes: before anything is made of them. */
function namesIn(bytes: Uint8Array): number {
  let [depth, names, quoted] = [0, 0, false];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    // "[" and "]" have one bit less than "{" and "}".
    const bracket = byte | 0x20;
    if (quoted && byte === ESCAPE) at++;
    else if (byte === QUOTE) quoted = !quoted;
    else if (quoted) continue;
    else if (bracket === OPEN) depth++;
    else if (bracket === CLOSE) depth--;
    else if (byte === COLON && depth === 1) names++;
    if (depth > MOST_DEPTH) throw new RangeError(`more than ${MOST_DEPTH} levels`);
  }
  return names;
}

function placedOf(source: Source, name: string, entry: unknown, data: number): Placed {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const type = DTYPES.get(dtype as string);
  if (!type) throw wrong(name, `a dtype of ${[...DTYPES.keys()].join(", ")}`, dtype);
  const dims = Array.isArray(shape) ? shape : [undefined];
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? offsets : [];
  const byteLength = bytesOf(type, dims);
  if (!Number.isSafeInteger(begin) || begin < 0 || end - begin !== byteLength) {
    const expected = `data_offsets of as many bytes as ${type.name} of ${describe(shape)} has`;
    throw wrong(name, expected, offsets);
  }
  const { name: of, decode } = type;
  return { dtype: of, dims: Object.freeze(dims), byteLength, source, start: data + begin, decode };
}

async function readIndex(
  file: Source,
  start: Uint8Array,
  { signal, shard }: SafetensorsOptions,
): Promise<WeightFile> {
  const all = start.length < FIRST ? start : await file.start(MOST_HEADER);
  const { weight_map: map, metadata } = parsed(all);
  if (!isObject(map)) throw wrong("source", "an index with a weight_map", map);
  const placed = new Map<string, Placed>();
  for (const name of new Set(Object.values(map))) {
    // No path to elsewhere.
    if (typeof name !== "string" || !/^[\w][\w.-]*$/.test(name)) {
      throw wrong("weight_map", "names of files beside it", name);
    }
    const given = shard ? shard(name) : file.url && new URL(name, file.url);
    if (given === undefined) throw wrong("shard", `a function that gives ${name}`, given);
    const part = new Source(NAME, given, signal);
    await readHeader(part, await part.start(FIRST), placed);
  }
  const missing = Object.keys(map).filter((name) => !placed.has(name));
  if (missing.length || placed.size !== Object.keys(map).length) {
    const surplus = [...placed.keys()].filter((name) => !Object.hasOwn(map, name));
    const received = missing.length ? `without ${someOf(missing)}` : `with ${someOf(surplus)} too`;
    throw new ArgumentError(NAME, "weight_map", "the tensors of its files", received);
  }
  const texts = Object.entries((metadata ?? {}) as Record<string, Metadata>);
  return new WeightFile(new Map(texts), placed);
}
