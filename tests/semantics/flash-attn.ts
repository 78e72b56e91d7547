// docs/semantics/flash-attn.md: flash_attn_interface.py, csrc/flash_attn/src/mask.h, alibi.h and
// softmax.h.

import assert from "node:assert/strict";
import { attendQkv, tensor } from "wasm-attention";
import { alibiSlopes, type RotateOptions, rotate } from "wasm-attention/positions";
import type { Whole } from "../engines";
import { appended, paged } from "./cached";
import {
  B,
  close,
  D,
  frequenciesOf,
  H,
  inputs,
  L,
  type Place,
  randomTensor,
  S,
  same,
  solve,
  swapped,
  type Tries,
  turned,
} from "./formula";
import { dropout, gradients, packed, scaled } from "./shared";

const lengths = [3, 5];
const slopes = alibiSlopes(H);
/** Where a query stands among `keys` keys. */
const at = (p: Place, keys = S) => p.i + keys - L;
const within = (p: Place, left: number, right: number, keys = S) =>
  p.j < keys && p.j >= at(p, keys) - left && p.j <= at(p, keys) + right;
const causal = (p: Place) => (p.j <= at(p) ? scaled(p) : -Infinity);

/** flash_attn_with_kvcache's rotary: q and new k [B, H, L, D], at each row's position. */
function rotary(attention: Whole, positions: (b: number, i: number) => number): void {
  const { q } = inputs();
  const frequencies = frequenciesOf(D);
  const cache = (f: (x: number) => number) =>
    tensor(
      Float32Array.from({ length: 9 * (D / 2) }, (_, x) =>
        f(Math.floor(x / (D / 2)) * frequencies[x % (D / 2)]),
      ),
      [9, D / 2],
    );
  const options: RotateOptions = {
    cos: cache(Math.cos),
    sin: cache(Math.sin),
    positions: [0, 1].flatMap((b) => [0, 1, 2].map((i) => positions(b, i))),
    pairing: "interleaved",
  };
  const want = turned(q, "interleaved", (i, b) => frequencies.map((f) => positions(b, i) * f));
  close(rotate(attention, q, options).data, want);
}

export const flashAttention: Tries = {
  "q, k, v [B, L, H, D]": (attention) => {
    const { q, k, v } = inputs();
    const got = attention.attend(swapped(q), swapped(k), swapped(v), { layout: "BLHD" }).output;
    close(swapped(got).data, solve({ q, k, v }, scaled).output);
  },
  softmax_scale: (attention) => {
    same(attention, { scale: 0.7 }, ({ dot }) => dot * 0.7);
  },
  "fewer heads of k and v": (attention) => {
    same(attention, {}, scaled, { x: inputs({ keyValueHeads: 2 }) });
  },
  "causal=True": (attention) => {
    same(attention, { causal: "lower-right" }, causal);
  },
  "causal=True, window_size=(l, 0)": (attention) => {
    same(attention, { causal: "lower-right", window: { left: 1 } }, (p) =>
      within(p, 1, 0) ? scaled(p) : -Infinity,
    );
  },
  "window_size=(l, r)": (attention) => {
    for (const x of [inputs(), inputs({ queries: S, keys: L })]) {
      const [queries, keys] = [x.q.dims[2], x.k.dims[2]];
      const queryOffset = keys - queries;
      const place = (p: Place) => p.i + queryOffset;
      same(
        attention,
        { window: { left: 1, right: 1 }, queryOffset },
        (p) => (Math.abs(p.j - place(p)) <= 1 ? scaled(p) : -Infinity),
        { x },
      );
      same(
        attention,
        { window: { left: 1 }, queryOffset },
        (p) => (p.j >= place(p) - 1 ? scaled(p) : -Infinity),
        { x },
      );
    }
  },
  cache_seqlens: (attention) => {
    same(attention, { keyLengths: lengths }, (p) => (p.j < lengths[p.b] ? scaled(p) : -Infinity));
  },
  "cache_seqlens, causal=True": (attention) => {
    same(attention, { keyLengths: lengths, causal: "lower-right" }, (p) =>
      within(p, S, 0, lengths[p.b]) ? scaled(p) : -Infinity,
    );
  },
  "cache_seqlens, window_size=(l, r)": (attention) => {
    const queryOffset = lengths.map((length) => length - L);
    same(attention, { keyLengths: lengths, window: { left: 1, right: 1 }, queryOffset }, (p) =>
      within(p, 1, 1, lengths[p.b]) ? scaled(p) : -Infinity,
    );
  },
  alibi_slopes: (attention) => {
    // −slope · |i + seqlen_k − seqlen_q − j|
    same(
      attention,
      { alibi: { slopes }, queryOffset: S - L },
      (p) => scaled(p) - slopes[p.h] * Math.abs(at(p) - p.j),
    );
  },
  "alibi_slopes, causal=True": (attention) => {
    const alibi = { slopes };
    same(
      attention,
      { alibi, causal: "lower-right" },
      (p) => causal(p) - slopes[p.h] * Math.abs(at(p) - p.j),
    );
    // Its kernel adds slope · j: the same softmax, and this softmax_lse.
    same(
      attention,
      { alibi: { slopes, distance: "key" }, causal: "lower-right" },
      (p) => causal(p) + slopes[p.h] * p.j,
    );
  },
  softcap: (attention) => {
    const options = { softcap: 2, alibi: { slopes }, queryOffset: S - L };
    same(
      attention,
      options,
      (p) => 2 * Math.tanh(scaled(p) / 2) - slopes[p.h] * Math.abs(at(p) - p.j),
    );
  },
  "a row that sees no key": (attention) => {
    const x = inputs({ queries: S, keys: L });
    const { output, logSumExp } = same(
      attention,
      { causal: "lower-right" },
      (p) => (p.j <= p.i + L - S ? scaled(p) : -Infinity),
      { x },
    );
    assert.deepEqual([...output.data.slice(0, 2 * D)], new Array(2 * D).fill(0));
    assert.deepEqual([...logSumExp!.data.slice(0, 2)], [-Infinity, -Infinity]);
  },
  softmax_lse: (attention) => {
    const { logSumExp } = same(attention, { causal: "lower-right" }, causal);
    assert.deepEqual(logSumExp!.dims, [B, H, L]);
  },
  "flash_attn_qkvpacked_func, qkv [B, L, 3, H, D]": (attention) => {
    const qkv = randomTensor([B, L, 3, H, D], 1);
    const part = (which: number) =>
      tensor(
        Float32Array.from({ length: B * H * L * D }, (_, at) => {
          const [b, h] = [Math.floor(at / (H * L * D)), Math.floor(at / (L * D)) % H];
          const [i, d] = [Math.floor(at / D) % L, at % D];
          return qkv.data[(((b * L + i) * 3 + which) * H + h) * D + d];
        }),
        [B, H, L, D],
      );
    const want = solve({ q: part(0), k: part(1), v: part(2) }, (p) =>
      p.j <= p.i ? scaled(p) : -Infinity,
    );
    const got = attendQkv(attention, qkv, { causal: "lower-right" }).output;
    close(swapped(got).data, want.output);
  },
  flash_attn_varlen_func: (attention) => {
    const cumulative = { cumulativeQueries: [0, 2, 5], cumulativeKeys: [0, 2, 5] };
    packed(attention, { ...cumulative, causal: "lower-right" }, (p) =>
      p.j <= p.i ? scaled(p) : -Infinity,
    );
  },
  "a learnable sink (FA3)": (attention) => {
    const sinks = [1, 0, -1, 2];
    same(attention, { sinks }, scaled, { sink: (h) => sinks[h] });
  },
  "rotary_cos, rotary_sin, causal": (attention) => rotary(attention, (b, i) => lengths[b] + i),
  "rotary_cos, rotary_sin, not causal": (attention) => rotary(attention, (b) => lengths[b]),
  dropout_p: dropout,
  backward: (attention) => gradients(attention, { causal: "lower-right" }, causal),
  "flash_attn_with_kvcache, new k, v": appended,
  block_table: (attention) => paged(attention, "NHD"),
};
