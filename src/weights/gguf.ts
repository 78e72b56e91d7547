// GGUF, versions 2 and 3 (ggml-org/ggml, docs/gguf.md): magic, version, counts; names and values of what is
// said about the model; name, sizes, type and place of each tensor; the tensors, each aligned.

import { reader } from "../check/names";
import { ArgumentError } from "../errors";
import { Ended, Fields } from "./fields";
import { bytesOf, checkPlaces, type Metadata, type Placed, WeightFile } from "./file";
import { type ReadOptions, Source, type WeightSource } from "./source";
import { TYPES } from "./types";

const NAME = "readGguf";
const MAGIC = 0x46554747;
/** Asked for at first: without a tokenizer most headers. The length of a header is nowhere said. */
const FIRST = 2 ** 16;
/** As long as safetensors' may be; a vocabulary of 256,000 pieces takes 15 MB. */
const MOST_HEADER = 100_000_000;
/** Of a value's name, its type, and a value. */
const LEAST_VALUE = 8 + 4 + 1;
/** Of a tensor's name, the number of its sizes, its type and its place. */
const LEAST_TENSOR = 8 + 4 + 4 + 8;

const readOptions = reader<ReadOptions>({ signal: 1 });

/**
 * Opens a GGUF file: what it says, and its tensors, sizes in PyTorch's order. Tensors are read when they
 * are asked for; quantised ones become float32, or are had as they lie by `bytes`.
 *
 * @throws ArgumentError (rejects) for a source that is none, an address that answers with an error or not
 *   at all, and a header that is damaged: counts or texts longer than the file, a name twice, types that do not exist,
 *   tensors that overlap or lie outside; for big-endian files.
 */
export async function readGguf(
  source: WeightSource,
  options: ReadOptions = {},
): Promise<WeightFile> {
  const { signal } = readOptions(NAME, options);
  const file = new Source(NAME, source, signal);
  let bytes = await file.start(FIRST);
  for (;;) {
    try {
      return headerOf(file, bytes);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      const { needed, message } = error;
      const most = Math.min(file.byteLength, MOST_HEADER);
      const longer =
        needed <= most
          ? await file.start(Math.max(needed, Math.min(bytes.length * 4, most)))
          : bytes;
      if (longer.length <= bytes.length) {
        const expected = most < MOST_HEADER ? "a longer file" : "a header of up to 100 MB";
        throw new ArgumentError(NAME, "source", expected, `its end in ${message}`);
      }
      bytes = longer;
    }
  }
}

/** @throws Ended where more of the file is needed. */
function headerOf(file: Source, bytes: Uint8Array): WeightFile {
  const fields = new Fields(NAME, bytes);
  if (fields.u32("the magic") !== MAGIC) {
    throw new ArgumentError(NAME, "source", "a GGUF file", "bytes of another kind");
  }
  const version = fields.u32("the version");
  if (version !== 2 && version !== 3) {
    const received = version > 0xffff ? "one in big endian" : `version ${version}`;
    throw new ArgumentError(NAME, "source", "GGUF of version 2 or 3, in little endian", received);
  }
  const tensors = countOf(file, fields.u64("the counts"), LEAST_TENSOR);
  const values = countOf(file, fields.u64("the counts"), LEAST_VALUE);
  const metadata = new Map<string, Metadata>();
  for (let i = 0; i < values; i++) {
    const name = fields.text("a name");
    once(name, metadata);
    metadata.set(name, fields.value(name));
  }
  const alignment = metadata.get("general.alignment") ?? 32;
  if (!Number.isInteger(alignment) || (alignment as number) < 1) {
    throw new ArgumentError(NAME, "general.alignment", "an integer from 1", `${alignment}`);
  }
  const placed = new Map<string, Placed>();
  for (let i = 0; i < tensors; i++) {
    const name = fields.text("a name");
    once(name, placed);
    placed.set(name, entryOf(file, fields, name));
  }
  const data = aligned(fields.at, alignment as number);
  // What is behind the last one is nobody's business; the first begins where the data does.
  let last = data;
  for (const [name, entry] of placed) {
    const start = data + entry.start;
    last = Math.max(last, start + entry.byteLength);
    placed.set(name, { ...entry, start });
  }
  checkPlaces(NAME, placed, [data, Math.min(file.byteLength, last)], alignment as number);
  return new WeightFile(metadata, placed);
}

const aligned = (at: number, alignment: number) => Math.ceil(at / alignment) * alignment;

function once(name: string, names: ReadonlyMap<string, unknown>): void {
  if (names.has(name)) throw new ArgumentError(NAME, name, "each name once", "a second one");
}

/** Not more than there is room for. */
function countOf({ byteLength }: Source, count: number, least: number): number {
  if (count <= byteLength / least) return count;
  throw new ArgumentError(NAME, "source", `entries of a file of ${byteLength} bytes`, `${count}`);
}

const MOST_AXES = 4;

function entryOf(source: Source, fields: Fields, name: string): Placed {
  const axes = fields.u32(name);
  if (axes > MOST_AXES) {
    throw new ArgumentError(NAME, name, `up to ${MOST_AXES} sizes`, `${axes}`);
  }
  const dims = Array.from({ length: axes }, () => fields.u64(name)).reverse();
  const number = fields.u32(name);
  const type = TYPES.get(number);
  const start = fields.u64(name);
  if (!type) throw new ArgumentError(NAME, name, "a type of ggml", `${number}`);
  // Blocks do not go over the end of a row.
  const byteLength = (dims.at(-1) ?? 1) % type.block ? Number.NaN : bytesOf(type, dims);
  if (!Number.isSafeInteger(byteLength) || !Number.isSafeInteger(start)) {
    const expected = `sizes of whole blocks of ${type.block} and a place in the file`;
    throw new ArgumentError(NAME, name, expected, `[${dims}] of ${type.name} at ${start}`);
  }
  return {
    dtype: type.name,
    dims: Object.freeze(dims),
    byteLength,
    source,
    start,
    decode: type.decode,
  };
}
