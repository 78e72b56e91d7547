// docs/semantics/onnx.md: docs/Operators.md of ONNX, Attention and RotaryEmbedding.

import { type AttendOptions, tensor } from "wasm-attention";
import { rotate } from "wasm-attention/positions";
import type { Whole } from "../engines";
import {
  B,
  booleans,
  close,
  D,
  frequenciesOf,
  H,
  inputs,
  L,
  randomTensor,
  S,
  type Score,
  same,
  solve,
  swapped,
  type Tries,
  turned,
} from "./formula";
import { scaled } from "./shared";

const bias = randomTensor([L, S], 5);
const capped: Score = (p) => 3 * Math.tanh(scaled(p) / 3);
const biased: Score = (p) => (p.j > 3 ? -Infinity : capped(p) + bias.data[p.i * S + p.j]);

/** What `scores` gives of one call, whichever are asked for. */
function scores(attention: Whole, name: AttendOptions["scores"], want: ArrayLike<number>): void {
  const x = inputs();
  const mask = tensor(
    bias.data.map((y, at) => (at % S > 3 ? -Infinity : y)),
    [L, S],
  );
  const got = attention.attend(x.q, x.k, x.v, { softcap: 3, mask, scores: name });
  close(got.scores!.data, want, "scores");
  close(got.output.data, solve(x, biased).output);
}

const positions = [7, 0, 3, 2, 2, 9];
const cache = (f: (x: number) => number, size = D) =>
  tensor(
    Float32Array.from({ length: 10 * (size / 2) }, (_, at) =>
      f(Math.floor(at / (size / 2)) * frequenciesOf(size)[at % (size / 2)]),
    ),
    [10, size / 2],
  );
const angles = (i: number, b: number, size = D) =>
  frequenciesOf(size).map((f) => positions[b * L + i] * f);

export const onnx: Tries = {
  "Q, K, V of rank 4": (attention) => {
    same(attention, {}, scaled);
  },
  "Q, K, V of rank 3": (attention) => {
    const x = inputs({ keyValueHeads: 2 });
    const flat = (y: typeof x.q) => {
      const { data, dims } = swapped(y);
      return tensor(data, [dims[0], dims[1], dims[2] * dims[3]]);
    };
    const options = { layout: "BLE", heads: H, keyValueHeads: 2 } as const;
    const { output } = attention.attend(flat(x.q), flat(x.k), flat(x.v), options);
    close(swapped(tensor(output.data, [B, L, H, D])).data, solve(x, scaled).output);
  },
  "kv_num_heads below q_num_heads": (attention) => {
    same(attention, {}, scaled, { x: inputs({ keyValueHeads: 1 }) });
  },
  scale: (attention) => {
    // Q · √scale and K · √scale there.
    same(attention, { scale: 0.2 }, ({ dot }) => dot * Math.sqrt(0.2) * Math.sqrt(0.2));
  },
  "attn_mask, boolean": (attention) => {
    const mask = booleans([B, 1, L, S], (at) => at % 3 !== 0);
    same(attention, { mask }, (p) =>
      mask.data[(p.b * L + p.i) * S + p.j] ? scaled(p) : -Infinity,
    );
  },
  "attn_mask, float": (attention) => {
    same(attention, { mask: bias }, (p) => scaled(p) + bias.data[p.i * S + p.j]);
  },
  "attn_mask shorter than S": (attention) => {
    const mask = { ...randomTensor([L, 3], 6), shorter: true };
    same(attention, { mask }, (p) => (p.j < 3 ? scaled(p) + mask.data[p.i * 3 + p.j] : -Infinity));
  },
  is_causal: (attention) => {
    same(attention, { causal: true }, (p) => (p.j <= p.i ? scaled(p) : -Infinity));
  },
  "past_key, past_value": (attention) => {
    const past = S - L;
    same(attention, { causal: true, queryOffset: past }, (p) =>
      p.j <= p.i + past ? scaled(p) : -Infinity,
    );
  },
  nonpad_kv_seqlen: (attention) => {
    const keyLengths = [3, 5];
    same(attention, { keyLengths }, (p) => (p.j < keyLengths[p.b] ? scaled(p) : -Infinity));
    // j ≤ i + nonpad[b] − L
    same(attention, { keyLengths, causal: "lower-right" }, (p) =>
      p.j < keyLengths[p.b] && p.j <= p.i + keyLengths[p.b] - L ? scaled(p) : -Infinity,
    );
  },
  "left_window_size, right_window_size (25)": (attention) => {
    same(attention, { window: { left: 1, right: 2 } }, (p) =>
      p.j >= p.i - 1 && p.j <= p.i + 2 ? scaled(p) : -Infinity,
    );
    same(attention, { window: { right: 0 } }, (p) => (p.j <= p.i ? scaled(p) : -Infinity));
  },
  softcap: (attention) => {
    same(attention, { softcap: 3 }, capped);
  },
  "a row that may see no key": (attention) => {
    same(attention, { keyLengths: [0, 2] }, (p) => (p.b && p.j < 2 ? scaled(p) : -Infinity));
  },
  "qk_matmul_output_mode 0": (attention) =>
    scores(attention, "raw", solve(inputs(), scaled).scores),
  "qk_matmul_output_mode 1": (attention) =>
    scores(attention, "capped", solve(inputs(), capped).scores),
  "qk_matmul_output_mode 2": (attention) =>
    scores(attention, "biased", solve(inputs(), biased).scores),
  "qk_matmul_output_mode 3": (attention) =>
    scores(attention, "probabilities", solve(inputs(), biased).weights),
  "RotaryEmbedding, interleaved": (attention) => {
    const { q } = inputs();
    for (const pairing of ["interleaved", "half"] as const)
      close(
        rotate(attention, q, { pairing }).data,
        turned(q, pairing, (i) => frequenciesOf(D).map((f) => i * f)),
      );
  },
  "RotaryEmbedding, cos_cache, sin_cache, position_ids": (attention) => {
    const { q } = inputs();
    const options = { cos: cache(Math.cos), sin: cache(Math.sin), positions };
    close(rotate(attention, q, options).data, turned(q, "half", angles));
  },
  "RotaryEmbedding without position_ids": (attention) => {
    const { q } = inputs();
    const each = (f: (x: number) => number) =>
      tensor(
        Float32Array.from([0, 1].flatMap((b) => [0, 1, 2].flatMap((i) => angles(i, b).map(f)))),
        [B, L, D / 2],
      );
    const got = rotate(attention, q, { cos: each(Math.cos), sin: each(Math.sin) });
    close(got.data, turned(q, "half", angles));
  },
  "RotaryEmbedding, rotary_embedding_dim": (attention) => {
    const x = randomTensor([B, H, L, 6], 1);
    const options = { cos: cache(Math.cos), sin: cache(Math.sin), positions, dimensions: 4 };
    close(rotate(attention, x, options).data, turned(x, "half", angles));
  },
};
