// A shard in a safetensors file: keys and values are read a span at a time, whenever it is asked.

import { openFile } from "#files";
import { SPAN_KEYS } from "../../assembly/kinds";
import { type Attention, checkAttention } from "../attend/attention";
import { callStates } from "../attend/states";
import { reader } from "../check/names";
import { viewOf } from "../check/shapes";
import { ArgumentError } from "../errors";
import { throwIfAborted } from "../run/steps";
import { checkTensor } from "../tensor/tensor";
import type { WeightFile } from "../weights/file";
import { readSafetensors } from "../weights/safetensors";
import type { WeightSource } from "../weights/source";
import { callOf, keysOf, readShardOptions, shapesFor } from "./call";
import type { Shard, ShardOptions } from "./shard";
import { withinSpan } from "./within";

const NAME = "fileShard";

/** Options of `fileShard`. */
export interface FileShardOptions {
  /** The tensor of keys; `"key"` by default. */
  key?: string | undefined;
  /** The tensor of values; `"value"` by default. */
  value?: string | undefined;
}

const readOptions = reader<FileShardOptions>({ key: 1, value: 1 });

/** A shard in a file, which is open until it is closed. */
export interface FileShard extends Shard {
  /** Closes the file, if it was opened by its path. */
  close(): Promise<void>;
}

/**
 * A shard in a safetensors file, with tensors `key` [B, Hkv, S, D] and `value` [B, Hkv, S, Dv] of any
 * numbers that have a float32: a path (Node, Deno, Bun), a Blob, an address that answers to ranges, or
 * anything else that gives ranges. A span of 4096 keys is in memory at a time.
 *
 * @throws ArgumentError (rejects) for a file that cannot be opened, is damaged or has other tensors.
 */
export async function fileShard(
  attention: Attention,
  source: WeightSource,
  options: FileShardOptions = {},
): Promise<FileShard> {
  const engine = checkAttention(NAME, attention);
  const { key = "key", value = "value" } = readOptions(NAME, options);
  const opened = isPath(source) ? await openFile(NAME, source) : undefined;
  try {
    const file = await readSafetensors(opened ?? source);
    const dims = { key: dimsOf(file, key), value: dimsOf(file, value) };
    const view = (name: "key" | "value") => viewOf(NAME, name, "BHLD", dims[name], 1);
    const [keys, values] = [view("key"), view("value")];
    for (const axis of ["batch", "heads", "rows"] as const) {
      if (keys[axis] === values[axis]) continue;
      const expected = `the key's ${axis}, ${keys[axis]}`;
      throw new ArgumentError(NAME, "value", expected, `${values[axis]}`);
    }
    const sizes = { batch: keys.batch, headSize: keys.size, valueSize: values.size };
    const names = { key, value };
    const shard = { ...sizes, keyValueHeads: keys.heads, rank: dims.key.length, names, file };
    return {
      keys: keys.rows,
      keyValueHeads: keys.heads,
      headSize: keys.size,
      valueSize: values.size,
      fused: engine.fused,
      attend: (query, options, signal) => {
        const read = readShardOptions("attend", options);
        const range = keysOf("attend", keys.rows, read);
        return attendSpans(engine, shard, query, { read, ...range, signal });
      },
      close: async () => opened?.close(),
    };
  } catch (error) {
    await opened?.close();
    throw error;
  }
}

/** Not an address, but of a file. */
function isPath(source: unknown): source is string | URL {
  if (typeof source === "string") return !/^[a-z][a-z\d+.-]+:/i.test(source) || isFile(source);
  return Object.prototype.toString.call(source) === "[object URL]" && isFile(`${source}`);
}

const isFile = (address: string) => address.startsWith("file:");

function dimsOf({ entries }: WeightFile, name: string): readonly number[] {
  const entry = entries.get(name);
  if (entry) return entry.dims;
  const there = [...entries.keys()].slice(0, 4).join(", ") || "none";
  throw new ArgumentError(NAME, name, "the name of a tensor in the file", `one of ${there}`);
}

interface Opened {
  readonly batch: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly keyValueHeads: number;
  readonly rank: number;
  readonly names: { readonly key: string; readonly value: string };
  readonly file: WeightFile;
}

interface Asked {
  readonly read: ShardOptions;
  readonly from: number;
  readonly to: number;
  readonly signal: AbortSignal | undefined;
}

/** One span after the other; the next is read while one is attended to. */
async function attendSpans(
  attention: Attention,
  opened: Opened,
  query: Parameters<Shard["attend"]>[0],
  { read, from, to, signal }: Asked,
): Promise<Float32Array[]> {
  const { rank, names, file, ...sizes } = opened;
  const rows = async (start: number) => {
    const range = { axis: rank - 2, from: start, to: Math.min(start + SPAN_KEYS, to) };
    return Promise.all([file.slice(names.key, range), file.slice(names.value, range)]);
  };
  const states: Float32Array[] = [];
  let next = rows(from);
  for (let first = from; first < to; first += SPAN_KEYS) {
    const [key, value] = await next;
    throwIfAborted(signal);
    if (first + SPAN_KEYS < to) {
      next = rows(first + SPAN_KEYS);
      // Awaited in the next round, or given up with this one.
      next.catch(() => undefined);
    }
    const count = Math.min(SPAN_KEYS, to - first);
    const inside = withinSpan(read, first - from, count);
    states.push(
      ...(await attention.runAsync("attend", () => {
        const asked = checkTensor("attend", "query", query);
        const shapes = shapesFor("attend", asked, { ...sizes, keys: count });
        const call = callOf("attend", { query: asked, key, value }, shapes, inside);
        return { signal, steps: (engine) => callStates(engine, call) };
      })),
    );
  }
  return states;
}
