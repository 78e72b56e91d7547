// docs/semantics/ggml.md: ggml/src/ggml-cpu/ops.cpp.

import assert from "node:assert/strict";
import { fromFloat16, tensor, toFloat16 } from "wasm-attention";
import { alibiSlopes, ropeFrequencies, rotate } from "wasm-attention/positions";
import { cropped, forked, shifted } from "./cached";
import {
  close,
  D,
  frequenciesOf,
  H,
  inputs,
  L,
  randomTensor,
  S,
  SCALE,
  same,
  solve,
  swapped,
  type Tries,
  turned,
} from "./formula";
import { scaled } from "./shared";

const scale = SCALE;
const half = toFloat16(randomTensor([L, S], 5).data.map((x, at) => (at % 4 === 2 ? -Infinity : x)));
const mask = fromFloat16(half);

export const ggml: Tries = {
  "q, k, v [D, L, H, B]": (attention) => {
    same(attention, { scale }, scaled);
  },
  "the result, [D, H, L, B]": (attention) => {
    const { q, k, v } = inputs();
    const permuted = swapped(tensor(Float32Array.from(solve({ q, k, v }, scaled).output), q.dims));
    const options = { scale, layout: "BLHD" } as const;
    close(attention.attend(swapped(q), swapped(k), swapped(v), options).output.data, permuted.data);
  },
  scale: (attention) => {
    same(attention, { scale: 0.125 }, ({ dot }) => dot * 0.125);
  },
  "fewer heads of k and v": (attention) => {
    same(attention, { scale }, scaled, { x: inputs({ keyValueHeads: 2 }) });
  },
  "mask, f16": (attention) => {
    same(
      attention,
      { scale, mask: { data: mask, dims: [L, S] } },
      (p) => scaled(p) + mask[p.i * S + p.j],
    );
  },
  max_bias: (attention) => {
    // slope = m0^(h + 1), m0 = 2^(−max_bias / n) for the first n heads; then m1^(2 (h − n) + 1)
    const [heads, n, maxBias] = [6, 4, 8];
    const slope = (h: number) =>
      h < n ? (2 ** (-maxBias / n)) ** (h + 1) : (2 ** (-maxBias / 2 / n)) ** (2 * (h - n) + 1);
    const slopes = alibiSlopes(heads, { maxBias });
    const data = Float32Array.from({ length: heads * L * S }, (_, at) => {
      return slopes[Math.floor(at / (L * S))] * mask[at % (L * S)];
    });
    same(
      attention,
      { scale, mask: { data, dims: [heads, L, S] } },
      (p) => scaled(p) + slope(p.h) * mask[p.i * S + p.j],
      { x: inputs({ heads }) },
    );
  },
  logit_softcap: (attention) => {
    // s = cap · tanh(q·k · (scale / cap))
    same(attention, { scale, softcap: 2 }, ({ dot }) => 2 * Math.tanh(dot * (scale / 2)));
  },
  ggml_flash_attn_ext_add_sinks: (attention) => {
    const sinks = [0.5, 1, -3, 2];
    same(attention, { scale, sinks }, scaled, { sink: (h) => sinks[h] });
  },
  "a row that sees no key": (attention) => {
    const data = new Float32Array(L * S).fill(-Infinity, 0, S);
    const { output } = same(attention, { scale, mask: { data, dims: [L, S] } }, (p) =>
      p.i ? scaled(p) : -Infinity,
    );
    assert.equal(output.data[0], 0);
  },
  GGML_ROPE_TYPE_NORMAL: (attention) => {
    const { q } = inputs();
    const want = turned(q, "interleaved", (i) => frequenciesOf(D).map((f) => i * f));
    close(rotate(attention, q, { pairing: "interleaved" }).data, want);
  },
  GGML_ROPE_TYPE_NEOX: (attention) => {
    const { q } = inputs();
    const want = turned(q, "half", (i) => frequenciesOf(D).map((f) => i * f));
    close(rotate(attention, q, { pairing: "half" }).data, want);
  },
  n_dims: (attention) => {
    const x = randomTensor([1, H, L, 8], 1);
    const want = turned(x, "half", (i) => frequenciesOf(4).map((f) => i * f));
    close(rotate(attention, x, { dimensions: 4 }).data, want);
  },
  "freq_base, freq_scale": (attention) => {
    const { q } = inputs();
    const scaling = { type: "linear", factor: 1 / 0.25 } as const;
    const table = ropeFrequencies(attention, { dimensions: D, base: 1e6, scaling });
    const want = turned(q, "half", (i) => frequenciesOf(D, 1e6).map((f) => 0.25 * i * f));
    close(rotate(attention, q, table).data, want);
  },
  freq_factors: (attention) => {
    const { q } = inputs();
    const factors = [1, 7];
    const frequencies = Float32Array.from(frequenciesOf(D), (f, p) => f / factors[p]);
    const want = turned(q, "half", (i) => frequenciesOf(D).map((f, p) => (i * f) / factors[p]));
    close(rotate(attention, q, { frequencies }).data, want);
  },
  "ext_factor 1": (attention) => {
    const [size, base, freqScale, original] = [32, 10000, 0.25, 512];
    const table = ropeFrequencies(attention, {
      dimensions: size,
      base,
      scaling: { type: "yarn", factor: 1 / freqScale, originalMaxPositionEmbeddings: original },
    });
    const correction = (turns: number) =>
      (size * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(base));
    const low = Math.max(0, Math.floor(correction(32)));
    const high = Math.min(size - 1, Math.ceil(correction(1)));
    const want = frequenciesOf(size, base).map((f, p) => {
      const y = (p - low) / Math.max(0.001, high - low);
      const ramp = 1 - Math.min(1, Math.max(0, y));
      return freqScale * f * (1 - ramp) + f * ramp;
    });
    close(table.frequencies, want, "frequencies");
    close([table.attentionFactor], [1 + 0.1 * Math.log(1 / freqScale)], "mscale");
  },
  "ggml_rope_multi, sections": (attention) => {
    const x = randomTensor([1, H, L, 16], 1);
    const sizes = [2, 3, 3, 0];
    const positions = [0, 1, 2, 3].flatMap((axis) => [0, 1, 2].map((i) => 5 * axis + i));
    const axes = sizes.flatMap((size, axis) => new Array<number>(size).fill(axis));
    const want = turned(x, "half", (i) => frequenciesOf(16).map((f, p) => (5 * axes[p] + i) * f));
    close(rotate(attention, x, { sections: { sizes }, positions }).data, want);
  },
  "llama_memory_seq_rm(s, n, -1)": cropped,
  "llama_memory_seq_cp of a whole sequence": forked,
  "llama_memory_seq_rm(s, 0, n), llama_memory_seq_add(s, n, -1, -n)": shifted,
};
