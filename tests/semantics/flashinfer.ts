// docs/semantics/flashinfer.md: include/flashinfer/attention/variants.cuh, state.cuh, pos_enc.cuh.

import assert from "node:assert/strict";
import { mergeStates, type ScoreTile, tensor } from "wasm-attention";
import { alibiSlopes, ropeFrequencies, rotate } from "wasm-attention/positions";
import { paged } from "./cached";
import {
  close,
  D,
  frequenciesOf,
  H,
  inputs,
  L,
  type Place,
  randomTensor,
  rows,
  S,
  same,
  solve,
  swapped,
  type Tries,
  turned,
} from "./formula";
import { packed, scaled } from "./shared";

const causal = (p: Place) => (p.j <= p.i + S - L ? scaled(p) : -Infinity);
/** kv_idx + qo_len + window_left >= kv_len + qo_idx */
const window = (p: Place, left: number) => p.j + L + left >= S + p.i;
const slopes = alibiSlopes(H);

/** A function of a score and its place, on tiles. */
const onTiles =
  (mod: (score: number, h: number, i: number, j: number) => number) =>
  ({ scores, head, query, key, rows, columns }: ScoreTile) => {
    for (let at = 0; at < rows * columns; at++)
      scores[at] = mod(scores[at], head, query + Math.floor(at / columns), key + (at % columns));
  };

export const flashInfer: Tries = {
  'kv_layout="NHD"': (attention) => {
    const { q, k, v } = inputs();
    const got = attention.attend(swapped(q), swapped(k), swapped(v), { layout: "BLHD" }).output;
    close(swapped(got).data, solve({ q, k, v }, scaled).output);
  },
  'kv_layout="HND"': (attention) => {
    same(attention, {}, scaled);
  },
  sm_scale: (attention) => {
    same(attention, { scale: 0.4 }, ({ dot }) => dot * 0.4);
  },
  num_kv_heads: (attention) => {
    same(attention, {}, scaled, { x: inputs({ keyValueHeads: 1 }) });
  },
  "causal=True": (attention) => {
    same(attention, { causal: "lower-right" }, causal);
  },
  "causal=True, window_left=W": (attention) => {
    same(attention, { causal: "lower-right", window: { left: 1 } }, (p) =>
      window(p, 1) ? causal(p) : -Infinity,
    );
  },
  "window_left=W": (attention) => {
    for (const W of [0, 1])
      same(attention, { window: { left: W }, queryOffset: S - L }, (p) =>
        window(p, W) ? scaled(p) : -Infinity,
      );
  },
  packed_custom_mask: (attention) => {
    const there = Uint8Array.of(0b10110101, 0b01101011);
    const bit = (at: number) => (there[at >> 3] >> (at & 7)) & 1;
    const data = Uint8Array.from({ length: L * S }, (_, at) => bit(at));
    same(attention, { mask: { data, dims: [L, S] } }, (p) =>
      bit(p.i * S + p.j) ? scaled(p) : -Infinity,
    );
  },
  logits_soft_cap: (attention) => {
    same(attention, { softcap: 1.5 }, (p) => 1.5 * Math.tanh(scaled(p) / 1.5));
  },
  'pos_encoding_mode="ALIBI"': (attention) => {
    const alibi = { slopes, distance: "signed" } as const;
    same(attention, { alibi }, (p) => scaled(p) + slopes[p.h] * (p.j - p.i));
    const options = { alibi, causal: "lower-right" } as const;
    same(attention, options, (p) => causal(p) + slopes[p.h] * (p.j - p.i), { shifted: true });
    const { logSumExp } = attention.attend(...(Object.values(inputs()) as [never, never, never]), {
      ...options,
      logSumExp: true,
    });
    const theirs = solve(inputs(), (p) => causal(p) + slopes[p.h] * (p.j - p.i)).logSumExp;
    close(
      logSumExp!.data,
      theirs.map((x, at) => x - slopes[Math.floor(at / L) % H] * (S - L)),
      "logSumExp",
    );
  },
  '"ALIBI" with logits_soft_cap': (attention) => {
    const mod = (score: number, h: number, i: number, j: number) =>
      2 * Math.tanh((score + slopes[h] * (j - i)) / 2);
    same(attention, { scoreMod: onTiles(mod) }, (p) => mod(scaled(p), p.h, p.i, p.j));
  },
  "custom variants": (attention) => {
    // Sigmoid attention's logits, say.
    const mod = (score: number) => -Math.log1p(Math.exp(-score));
    same(attention, { scoreMod: onTiles(mod) }, (p) => mod(scaled(p)));
  },
  sinks: (attention) => {
    const sinks = [2, -1, 0, 1];
    same(attention, { sinks }, scaled, { sink: (h) => sinks[h] });
  },
  "a row that sees no key": (attention) => {
    const x = inputs({ queries: S, keys: L });
    const score = (p: Place) => (p.j <= p.i + L - S ? scaled(p) : -Infinity);
    const { output, logSumExp } = same(attention, { causal: "lower-right" }, score, { x });
    assert.deepEqual([output.data[0], logSumExp!.data[0]], [0, -Infinity]);
  },
  "return_lse=True": (attention) => {
    const { q, k, v } = inputs();
    const { logSumExp } = attention.attend(q, k, v, { logSumExp: true });
    // log2 Σ 2^(s · log2 e)
    const { scores } = solve({ q, k, v }, scaled);
    const base2 = Array.from({ length: scores.length / S }, (_, row) =>
      Math.log2(
        scores.slice(row * S, (row + 1) * S).reduce((a, s) => a + 2 ** (s * Math.LOG2E), 0),
      ),
    );
    close(
      logSumExp!.data.map((x) => x / Math.LN2),
      base2,
      "lse",
    );
  },
  "merge_state, merge_states": (attention) => {
    const { q, k, v } = inputs();
    const parts = [
      [0, 2],
      [2, 1],
      [3, 2],
    ].map(([from, size]) =>
      attention.attend(q, rows(k, from, size), rows(v, from, size), { logSumExp: true }),
    );
    const states = parts.map(({ output, logSumExp }) => {
      const s = logSumExp!.data.map((x) => x / Math.LN2); // as FlashInfer gives it
      return {
        output,
        logSumExp: tensor(
          s.map((x) => x * Math.LN2),
          logSumExp!.dims,
        ),
      };
    });
    close(mergeStates(attention, states).output.data, solve({ q, k, v }, scaled).output);
  },
  "ragged, qo_indptr, kv_indptr": (attention) =>
    packed(attention, { cumulativeQueries: [0, 2, 5], cumulativeKeys: [0, 2, 5] }, scaled),
  BlockSparseAttentionWrapper: (attention) => {
    const visible = [0, 1, 1, 1, 0, 1];
    const blockMask = { data: Uint8Array.from(visible), dims: [1, 1, 2, 3], size: 2 };
    same(attention, { blockMask }, (p) =>
      visible[(p.i >> 1) * 3 + (p.j >> 1)] ? scaled(p) : -Infinity,
    );
  },
  "apply_rope(interleave)": (attention) => {
    const { q } = inputs();
    for (const pairing of ["interleaved", "half"] as const) {
      const want = turned(q, pairing, (i) => frequenciesOf(D).map((f) => (4 + i) * f));
      close(rotate(attention, q, { pairing, positions: 4 }).data, want);
    }
  },
  "rope_scale, rope_theta": (attention) => {
    const { q } = inputs();
    const scaling = { type: "linear", factor: 8 } as const;
    const table = ropeFrequencies(attention, { dimensions: D, base: 5000, scaling });
    const want = turned(q, "half", (i) => frequenciesOf(D, 5000).map((f) => (f / 8) * i));
    close(rotate(attention, q, table).data, want);
  },
  apply_llama31_rope: (attention) => {
    const base = { dimensions: 16, base: 500000 };
    const scaling = {
      type: "llama3",
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 8192,
    } as const;
    const { frequencies } = ropeFrequencies(attention, { ...base, scaling });
    // smooth = clamp(old_context · f / (2π (high − low)) − 1 / (high / low − 1), 0, 1)
    const want = frequenciesOf(16, 500000).map((f) => {
      const smooth = Math.min(Math.max((8192 * f) / (2 * Math.PI * 3) - 1 / 3, 0), 1);
      return (1 - smooth) * (f / 8) + smooth * f;
    });
    close(frequencies, want, "frequencies");
  },
  rotary_dim: (attention) => {
    const x = randomTensor([1, 1, L, 8], 1);
    const want = turned(x, "half", (i) => frequenciesOf(4).map((f) => i * f));
    close(rotate(attention, x, { dimensions: 4 }).data, want);
  },
  append_paged_kv_cache: (attention) => paged(attention, "NHD"),
  'paged wrappers, kv_layout="HND"': (attention) => paged(attention, "HND"),
};
