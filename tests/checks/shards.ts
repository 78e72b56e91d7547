// Calls of attend, and the same over shards of their keys.

import assert from "node:assert/strict";
import type { AttendOptions, Tensor } from "wasm-attention";
import { attendSharded, type Shard, type ShardedOptions } from "wasm-attention/shards";
import { bitsOf, randomArray, randomTensor, type Whole } from "../engines";

/** As in assembly/tiles.ts. */
export const SPAN = 4096;

/** Keys [from, to) of [B, H, S, D]. */
export function part({ data, dims }: Tensor, from: number, to: number): Tensor {
  const [batch, heads, rows, size] = dims as [number, number, number, number];
  const some = new Float32Array(batch * heads * (to - from) * size);
  for (let h = 0; h < batch * heads; h++) {
    const piece = data.subarray((h * rows + from) * size, (h * rows + to) * size);
    some.set(piece, h * (to - from) * size);
  }
  return { data: some, dims: [batch, heads, to - from, size] };
}

/** So many shards' first keys, whole spans as even as they can be. */
export function starts(keys: number, count: number): number[] {
  const spans = Math.ceil(keys / SPAN);
  return Array.from({ length: count + 1 }, (_, i) =>
    i === count ? keys : Math.floor((i * spans) / count) * SPAN,
  );
}

export type Make = (key: Tensor, value: Tensor) => Shard | Promise<Shard>;

export async function shardsOf(
  key: Tensor,
  value: Tensor,
  count: number,
  make: Make,
): Promise<Shard[]> {
  const at = starts(key.dims[2] as number, count);
  const shards: Shard[] = [];
  for (let i = 0; i < count; i++) {
    const [from, to] = [at[i] as number, at[i + 1] as number];
    shards.push(await make(part(key, from, to), part(value, from, to)));
  }
  return shards;
}

export interface Case {
  readonly options?: Omit<ShardedOptions, "signal">;
  readonly keys?: number;
  readonly batch?: number;
  readonly queries?: number;
  readonly sizes?: readonly [number, number];
}

export const KEYS = 4 * SPAN + 517;
/** Masks of one byte a key, and of one number for each head, query and key. */
export const bytes = Uint8Array.from({ length: KEYS }, (_, i) =>
  i % 7 && i < 2 * SPAN ? 1 : i % 3 ? 1 : 0,
);

export const CASES: Record<string, Case> = {
  plain: {},
  "one query": { queries: 1 },
  "more queries than a tile": { queries: 70 },
  "sizes that are no multiple of four": { sizes: [13, 7] },
  causal: { options: { causal: true, queryOffset: 3 * SPAN - 2 } },
  "causal, the last queries": { options: { causal: "lower-right" } },
  "causal, the first queries": { options: { causal: true } },
  window: { options: { causal: true, queryOffset: 3 * SPAN + 4, window: { left: 100 } } },
  "a window over a border": { options: { queryOffset: SPAN, window: { left: 300, right: 9 } } },
  "a window of no key": { options: { queryOffset: 9 * SPAN, window: { left: 3, right: 9 } } },
  ragged: {
    batch: 3,
    options: { keyLengths: [KEYS, SPAN + 5, 0], queryLengths: [3, 1, 2], causal: "lower-right" },
  },
  "sinks once": { options: { sinks: [0.5, -Infinity, 3, 0] } },
  "sinks where the first span is not seen": {
    options: {
      sinks: [0.5, -Infinity, 3, 0],
      queryOffset: 3 * SPAN,
      window: { left: 30 },
      queryLengths: [2],
    },
  },
  "sinks where nothing is seen": {
    options: { sinks: [0.5, -Infinity, 3, 0], queryOffset: 9 * SPAN, window: { left: 3 } },
  },
  softcap: { options: { softcap: 2, scale: 3 } },
  alibi: { options: { alibi: { slopes: [0.5, 0.25, 0.125, 0.01] }, causal: "lower-right" } },
  "alibi, signed, of each batch": {
    batch: 2,
    options: { alibi: { slopes: [1e-3, 2e-3, 0, 1e-4, 5e-4, 0, 0, 1e-3], distance: "signed" } },
  },
  "a mask of keys": { options: { mask: { data: bytes, dims: [KEYS] } } },
  "masks, one of them shorter": {
    options: {
      mask: [
        { data: bytes, dims: [1, 1, 1, KEYS] },
        { data: randomArray(4 * 3 * KEYS, 8), dims: [1, 4, 3, KEYS] },
        { data: bytes.slice(0, 2 * SPAN + 9), dims: [2 * SPAN + 9], shorter: true },
        { data: randomArray(12, 9), dims: [4, 3, 1] },
      ],
    },
  },
  "one span": { keys: 900 },
  "one whole span": { keys: SPAN },
  "an additive mask of infinities, NaN behind it": {
    options: {
      mask: {
        data: Float32Array.from(bytes, (take) => (take ? 0 : -Infinity)),
        dims: [KEYS],
      },
    },
  },
};

/** Query, key and value; NaN and Infinity are hidden behind the masks of one byte a key. */
export function inputs({ keys = KEYS, batch = 1, queries = 3, sizes = [16, 24], options }: Case) {
  const [size, valueSize] = sizes;
  const query = randomTensor([batch, 4, queries, size], 1, 4);
  const key = randomTensor([batch, 2, keys, size], 2);
  const value = randomTensor([batch, 2, keys, valueSize], 3);
  if (options?.mask) {
    value.data[7 * valueSize] = Number.NaN;
    key.data[21 * size] = Infinity;
  }
  return { query, key, value };
}

export const same = (got: { output: Tensor; logSumExp: Tensor }, want: object) =>
  assert.deepEqual(
    bitsOf({ output: got.output, logSumExp: got.logSumExp }).sort(),
    bitsOf(want).sort(),
  );

export async function check(attention: Whole, drawn: Case, counts: readonly number[], make: Make) {
  const { query, key, value } = inputs(drawn);
  const options = { ...drawn.options, logSumExp: true } as AttendOptions & { logSumExp: true };
  const want = attention.attend(query, key, value, options);
  for (const count of counts) {
    if (count > Math.ceil((key.dims[2] as number) / SPAN)) continue;
    const shards = await shardsOf(key, value, count, make);
    const got = await attendSharded(attention, query, shards, drawn.options);
    assert.deepEqual(got.missing, []);
    same(got, want);
  }
}
