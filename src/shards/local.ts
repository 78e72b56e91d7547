// A shard in this process: tensors, or a cache's tokens.

import { SPAN_KEYS } from "../../assembly/kinds";
import { AttendFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { AttendCall } from "../attend/forward";
import type { Layout } from "../attend/options";
import { shardedOf } from "../attend/sharded";
import { callStates } from "../attend/states";
import { reader } from "../check/names";
import { checkHeads, checkLayout, type View, viewOf } from "../check/shapes";
import { numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { callOf, keysOf, readShardOptions, scoresOf, seenBy, shapesFor } from "./call";
import type { Shard } from "./shard";

const NAME = "localShard";

/** Keys and values for `localShard`; they are read whenever it is asked. */
export interface ShardTensors {
  /** [B, Hkv, S, D], or as `layout` says. */
  key: Tensor;
  /** [B, Hkv, S, Dv], or as `layout` says. */
  value: Tensor;
  /** `"BHLD"` by default. */
  layout?: Layout | undefined;
  /** Key and value heads; for layout `"BLE"` only, where it is required. */
  keyValueHeads?: number | undefined;
}

/** A cache of this engine for `localShard`. */
export interface ShardOfCache {
  /** Of `wasm-attention/cache`, without a window; its page size divides 4096. */
  cache: object;
  /** The sequence of each row of the batch; all of the cache in order by default. */
  sequences?: ArrayLike<number> | undefined;
  /** At most so many of the tokens of each; all by default. */
  keys?: number | undefined;
}

const readTensors = reader<ShardTensors & ShardOfCache>({
  key: 1,
  value: 1,
  layout: 1,
  keyValueHeads: 1,
  cache: 1,
  sequences: 1,
  keys: 1,
});

/**
 * A shard of keys and values in this process: tensors, best allocated by the engine, or the tokens of a
 * cache of any precision, as many as there are whenever it is asked.
 *
 * @throws ArgumentError for tensors that do not fit together, for a cache of another engine, with a window
 * or with pages that do not end where spans do.
 */
export function localShard(attention: Attention, from: ShardTensors | ShardOfCache): Shard {
  const engine = checkAttention(NAME, attention);
  const given = readTensors(NAME, from, "from");
  return given.cache === undefined
    ? shardOf(engine, tensorsOf(NAME, given))
    : ofCache(engine, given);
}

/** Tensors that are checked, and how they are seen. */
export interface HeldTensors {
  readonly key: Tensor;
  readonly value: Tensor;
  readonly keys: View;
  readonly values: View;
}

/** @throws ArgumentError for tensors that do not fit together. */
export function tensorsOf(operation: string, given: ShardTensors): HeldTensors {
  const layout = checkLayout(operation, given.layout);
  const ble = layout === "BLE";
  const heads = ble ? given.keyValueHeads : undefined;
  const [split] = checkHeads(operation, layout, ble ? { heads } : given);
  const view = (argument: "key" | "value"): [Tensor, View] => {
    const tensor = checkTensor(operation, argument, given[argument]);
    return [tensor, viewOf(operation, argument, layout, tensor.dims, split)];
  };
  const [[key, keys], [value, values]] = [view("key"), view("value")];
  for (const axis of ["batch", "heads", "rows"] as const) {
    if (keys[axis] === values[axis]) continue;
    const expected = `the key's ${axis}, ${keys[axis]}`;
    throw new ArgumentError(operation, "value.dims", expected, describe(value.dims));
  }
  return { key, value, keys, values };
}

export function shardOf(attention: Attention, { key, value, keys, values }: HeldTensors): Shard {
  const { batch, heads: keyValueHeads, rows, size: headSize } = keys;
  return {
    keys: rows,
    keyValueHeads,
    headSize,
    valueSize: values.size,
    fused: attention.fused,
    attend(query, options, signal) {
      const operation = "attend";
      return attention.runAsync(operation, () => {
        const read = readShardOptions(operation, options);
        const { from, to } = keysOf(operation, rows, read);
        const sizes = { batch, keyValueHeads, keys: to - from, headSize, valueSize: values.size };
        const asked = checkTensor(operation, "query", query);
        const shapes = {
          ...shapesFor(operation, asked, sizes),
          keyStrides: keys.strides,
          valueStrides: values.strides,
        };
        const call = callOf(operation, { query: asked, key, value }, shapes, read);
        const pages: AttendCall["pages"] = (staging) => {
          const all = staging.tensor(AttendFrame.key, "key", key);
          staging.within(AttendFrame.key, all, from * keys.strides.row * 4);
          const rest = staging.tensor(AttendFrame.value, "value", value);
          staging.within(AttendFrame.value, rest, from * values.strides.row * 4);
        };
        return { signal, steps: (running) => callStates(running, { ...call, pages }) };
      });
    },
  };
}

function ofCache(attention: Attention, given: ShardOfCache): Shard {
  const shard = shardedOf(given.cache);
  if (!shard) throw new ArgumentError(NAME, "cache", "a cache", describe(given.cache));
  if (shard.attention !== attention) {
    throw new ArgumentError(NAME, "cache", "one of this engine", "another engine's");
  }
  const { keyValueHeads, headSize, valueSize, pageSize } = shard;
  if (shard.windowed) {
    throw new ArgumentError(NAME, "cache", "one that keeps all tokens", "one with a window");
  }
  if (SPAN_KEYS % pageSize) {
    const expected = `one whose page size divides a span of ${SPAN_KEYS}`;
    throw new ArgumentError(NAME, "cache", expected, `one with pages of ${pageSize}`);
  }
  const sequences = given.sequences === undefined ? undefined : numbersOf(given.sequences);
  if (given.sequences !== undefined && !sequences) {
    const expected = "a number for each row of the batch";
    throw new ArgumentError(NAME, "sequences", expected, describe(given.sequences));
  }
  const { keys = Infinity } = given;
  if (keys !== Infinity && !(Number.isInteger(keys) && keys >= 0)) {
    throw new ArgumentError(NAME, "keys", "an integer from 0", describe(keys));
  }
  const lengths = (operation: string) =>
    shard.lengths(operation, sequences).map((length) => Math.min(length, keys));
  lengths(NAME);
  return {
    get keys() {
      return lengths("keys");
    },
    keyValueHeads,
    headSize,
    valueSize,
    fused: shard.fused,
    async attend(query, options, signal) {
      const operation = "attend";
      const read = readShardOptions(operation, options);
      const each = lengths(operation);
      const rows = Math.max(0, ...each);
      const looked = keysOf(operation, rows, read);
      const { causal, queryOffset, queryLengths } = read;
      const asked = { ...scoresOf(read), causal, queryOffset, queryLengths };
      const { call, done } = shard.call(operation, query, { ...asked, sequences }, looked);
      try {
        // Fewer than the cache has, where the caller says so.
        const visibility = seenBy(operation, call.shapes, read, within(each, looked));
        const cut = { ...call, checked: { ...call.checked, visibility } };
        return await attention.runAsync(operation, () => ({
          signal,
          steps: (running) => callStates(running, cut),
        }));
      } finally {
        done();
      }
    },
  };
}

/** How many of the keys [from, to) there are, of each length. */
const within = (lengths: readonly number[], { from, to }: { from: number; to: number }) =>
  lengths.map((length) => Math.min(Math.max(length - from, 0), to - from));
