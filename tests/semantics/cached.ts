// What libraries do with caches: tokens appended, cut, shared, found in pages.

import assert from "node:assert/strict";
import { type Tensor, tensor } from "wasm-attention";
import {
  type AttentionCache,
  appendPaged,
  attendPaged,
  type CacheOptions,
  createCache,
  type PageLayout,
} from "wasm-attention/cache";
import type { Whole } from "../engines";
import { B, close, D, inputs, L, rows, S, type Score, solve, swapped } from "./formula";
import { scaled } from "./shared";

const KV = 2;
const x = inputs({ keyValueHeads: KV });
const all = Array.from({ length: B }, (_, b) => b);

const causal: Score = (p) => (p.j <= p.i + S - L ? scaled(p) : -Infinity);

function made(attention: Whole, options: Partial<CacheOptions> = {}): AttentionCache {
  return createCache(attention, { keyValueHeads: KV, headSize: D, sequences: B, ...options });
}

/** Tokens that were there, then the new ones of the queries, in the layout of flash-attn. */
export function appended(attention: Whole): void {
  using cache = made(attention);
  cache.append(rows(x.k, 0, S - L), rows(x.v, 0, S - L));
  const [q, k, v] = [x.q, rows(x.k, S - L, L), rows(x.v, S - L, L)].map(swapped) as Tensor[];
  const layout = "BLHD";
  cache.append(k as Tensor, v as Tensor, { layout });
  const { output } = cache.attend(q as Tensor, { layout });
  close(swapped(output).data, solve(x, causal).output);
}

/** A window of W tokens, their own among them. */
export function windowed(attention: Whole): void {
  const W = 2;
  using cache = made(attention, { window: W });
  cache.append(x.k, x.v);
  const seen: Score = (p) => (p.j > p.i + S - L - W ? causal(p) : -Infinity);
  close(cache.attend(x.q).output.data, solve(x, seen).output);
}

/** The last L tokens again, after others in their places. */
export function cropped(attention: Whole): void {
  using cache = made(attention);
  cache.append(x.k, x.v);
  for (const id of all) cache.truncate(id, S - L);
  cache.append(rows(x.v, 0, L), rows(x.k, 0, L));
  for (const id of all) cache.truncate(id, S - L);
  cache.append(rows(x.k, S - L, L), rows(x.v, S - L, L));
  close(cache.attend(x.q).output.data, solve(x, causal).output);
}

/** Batches that go on where others are. */
export function reordered(attention: Whole): void {
  using cache = made(attention);
  cache.append(x.k, x.v);
  cache.reorder([1, 0]);
  const halves = ({ data, dims }: Tensor) => {
    const half = data.length / B;
    return tensor(Float32Array.of(...data.subarray(half), ...data.subarray(0, half)), dims);
  };
  const want = solve({ q: x.q, k: halves(x.k), v: halves(x.v) }, causal);
  close(cache.attend(x.q).output.data, want.output);
}

/** One sequence becomes two with the same tokens. */
export function forked(attention: Whole): void {
  using cache = made(attention);
  cache.append(x.k, x.v);
  const copies = all.map((id) => cache.fork(id));
  const { output } = cache.attend(x.q, { sequences: copies });
  close(output.data, solve(x, causal).output);
}

/** Tokens dropped from the front. */
export function shifted(attention: Whole): void {
  using cache = made(attention);
  cache.append(x.k, x.v);
  for (const id of all) cache.shift(id, { drop: 1 });
  const left = { q: rows(x.q, 0, L), k: rows(x.k, 1, S - 1), v: rows(x.v, 1, S - 1) };
  const seen: Score = (p) => (p.j <= p.i + S - 1 - L ? scaled(p) : -Infinity);
  close(cache.attend(x.q).output.data, solve(left, seen).output);
}

/** Tokens in slots of pages that lie in another order. */
export function paged(attention: Whole, pageLayout: PageLayout): void {
  const [pages, pageSize] = [6, 2];
  const blockTable = [5, 1, 3, 0, 4, 2];
  const axes = pageLayout === "NHD" ? [pages, pageSize, KV, D] : [pages, KV, pageSize, D];
  const [keyPages, valuePages] = [0, 1].map(() =>
    tensor(new Float32Array(pages * pageSize * KV * D), axes),
  ) as [Tensor, Tensor];
  const slotMapping = all.flatMap((b) =>
    Array.from({ length: S }, (_, token) => {
      const page = blockTable[b * 3 + Math.floor(token / pageSize)] as number;
      return page * pageSize + (token % pageSize);
    }),
  );
  appendPaged(x.k, x.v, keyPages, valuePages, { slotMapping, pageLayout });
  const options = { blockTable, lengths: [S, S], pageLayout };
  const { output } = attendPaged(attention, x.q, keyPages, valuePages, options);
  close(output.data, solve(x, causal).output);
  // A slot of −1 is not written.
  const before = keyPages.data.slice();
  const skipped = slotMapping.map(() => -1);
  appendPaged(x.v, x.k, keyPages, valuePages, { slotMapping: skipped, pageLayout });
  assert.deepEqual(keyPages.data, before);
}
