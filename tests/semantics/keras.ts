// docs/semantics/keras.md: keras/src/layers/attention and keras_hub/layers/modeling.

import { tensor } from "wasm-attention";
import {
  alibiSlopes,
  ropeFrequencies,
  rotate,
  sinusoidalPositions,
} from "wasm-attention/positions";
import { fromKeras } from "wasm-attention/weights";
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
  same,
  solve,
  type Tries,
  turned,
} from "./formula";
import { dropout, scaled } from "./shared";

const E = 6;

/** einsum("btd,dhk->bthk") as [B, H, T, D], with the layer's kernels and biases. */
function layer(attention: Whole, keyValueHeads: number): void {
  const shapes = [
    [
      [E, H, D],
      [H, D],
    ],
    [
      [E, keyValueHeads, D],
      [keyValueHeads, D],
    ],
    [
      [E, keyValueHeads, D],
      [keyValueHeads, D],
    ],
    [[H, D, E], [E]],
  ].flat();
  const weights = shapes.map((dims, i) => randomTensor(dims, 20 + i));
  const [x, memory] = [randomTensor([B, L, E], 18), randomTensor([B, S, E], 19)];
  const built = fromKeras(attention, weights);
  const got = built.forward({ query: x, key: memory, value: memory }, { weights: true });
  built.dispose();
  const project = ({ data, dims: [, length] }: typeof x, at: number, heads: number) =>
    tensor(
      Float32Array.from({ length: B * heads * length * D }, (_, index) => {
        const [b, h] = [
          Math.floor(index / (heads * length * D)),
          Math.floor(index / (length * D)) % heads,
        ];
        const [t, d] = [Math.floor(index / D) % length, index % D];
        let sum = weights[at + 1].data[h * D + d];
        for (let e = 0; e < E; e++)
          sum += data[(b * length + t) * E + e] * weights[at].data[(e * heads + h) * D + d];
        return sum;
      }),
      [B, heads, length, D],
    );
  const [q, k, v] = [
    project(x, 0, H),
    project(memory, 2, keyValueHeads),
    project(memory, 4, keyValueHeads),
  ];
  const want = solve({ q, k, v }, scaled);
  close(
    got.weights!.data.map((w) => w),
    want.weights,
    "weights",
  );
  const output = Array.from({ length: B * L * E }, (_, at) => {
    const [b, i, e] = [Math.floor(at / (L * E)), Math.floor(at / E) % L, at % E];
    let sum = weights[7].data[e];
    for (let h = 0; h < H; h++)
      for (let d = 0; d < D; d++)
        sum += want.output[((b * H + h) * L + i) * D + d] * weights[6].data[(h * D + d) * E + e];
    return sum;
  });
  close(
    got.output.data.map((y) => y / 8),
    output.map((y) => y / 8),
  );
}

export const keras: Tries = {
  MultiHeadAttention: (attention) => layer(attention, H),
  GroupedQueryAttention: (attention) => layer(attention, 2),
  "Attention(use_scale=False)": (attention) => {
    same(attention, { scale: 1 }, ({ dot }) => dot);
  },
  "attention_mask, a boolean [B, L, S]": (attention) => {
    const there = booleans([B, L, S], (at) => at % 4 !== 1);
    const mask = { data: there.data, dims: [B, 1, L, S] };
    same(attention, { mask }, (p) =>
      there.data[(p.b * L + p.i) * S + p.j] ? scaled(p) : -Infinity,
    );
  },
  "value_mask or key_mask, [B, S]": (attention) => {
    const mask = booleans([B, 1, 1, S], (at) => at !== 2 && at !== 5);
    same(attention, { mask }, (p) => (mask.data[p.b * S + p.j] ? scaled(p) : -Infinity));
  },
  "use_causal_mask=True": (attention) => {
    // row_index >= col_index
    same(attention, { causal: true }, (p) => (p.i >= p.j ? scaled(p) : -Infinity));
  },
  "a row that may see no key": (attention) => {
    const filter = Float32Array.from({ length: L * S }, (_, at) => (at < S || at % 3 ? -1e9 : 0));
    // Scores of some units vanish beside 10⁹ in float32, so that every key of the row weighs the same.
    same(
      attention,
      { mask: { data: filter, dims: [L, S] } },
      (p) => Math.fround(Math.fround(scaled(p)) + filter[p.i * S + p.j]) + (p.i === 0 ? 1e9 : 0),
      { shifted: true },
    );
  },
  "sliding_window=W": (attention) => {
    // |i − j| < W
    for (const W of [1, 2])
      same(attention, { window: { left: W - 1, right: W - 1 } }, (p) =>
        Math.abs(p.i - p.j) < W ? scaled(p) : -Infinity,
      );
  },
  "return_attention_scores=True": (attention) => {
    const x = inputs();
    const { weights } = attention.attend(x.q, x.k, x.v, { weights: true });
    close(weights!.data, solve(x, scaled).weights, "weights");
  },
  "dropout=p": dropout,
  "logit_soft_cap=c": (attention) => {
    same(attention, { softcap: 2 }, (p) => 2 * Math.tanh(scaled(p) / 2));
  },
  "gpt-oss, sinks": (attention) => {
    const sinks = [0.5, -1, 2, 0];
    same(attention, { sinks }, scaled, { sink: (h) => sinks[h] });
  },
  "AlibiBias(alibi_bias_max)": (attention) => {
    const slopes = alibiSlopes(H, { maxBias: 6 });
    // arange(1 − S, 1) · slope
    const bias = (h: number, j: number) => (j - (S - 1)) * 2 ** ((-6 * (h + 1)) / H);
    const options = { alibi: { slopes, distance: "key" } } as const;
    same(attention, options, (p) => scaled(p) + bias(p.h, p.j), { shifted: true });
  },
  "RotaryEmbedding(max_wavelength, scaling_factor)": (attention) => {
    const { q } = inputs();
    const base = 500;
    const scaling = { type: "linear", factor: 4 } as const;
    const table = ropeFrequencies(attention, { dimensions: D, base, scaling });
    const got = rotate(attention, q, { ...table, pairing: "half" });
    close(
      got.data,
      turned(q, "half", (i) => frequenciesOf(D, base).map((f) => (i / 4) * f)),
    );
  },
  SinePositionEncoding: (attention) => {
    // sin and cos of position · max_wavelength^(−2⌊d/2⌋/size), in turns
    const want = Array.from({ length: 5 * 6 }, (_, at) => {
      const [position, d] = [Math.floor(at / 6), at % 6];
      const angle = position * 10000 ** ((-2 * Math.floor(d / 2)) / 6);
      return d % 2 ? Math.cos(angle) : Math.sin(angle);
    });
    close(sinusoidalPositions(attention, { positions: 5, size: 6 }).data, want);
  },
};
