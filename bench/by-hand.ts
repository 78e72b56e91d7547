// An encoder layer as one writes it without blocks: our attention layer and products, and in
// JavaScript what stands around them.

import { type Attention, linear, MultiHeadAttention, prepareLinear, tensor } from "wasm-attention";
import type { Affine, Peer } from "./peers/peer";

export function byHand(
  attention: Attention<never>,
): Pick<Peer, "name"> & Required<Pick<Peer, "block">> {
  return {
    name: "norms and GELU in JavaScript",
    async block(c, x, weights) {
      const { n, heads, d, hidden } = c;
      const size = heads * d;
      const projection = ({ weight, bias }: Affine, ins: number, outs: number) => ({
        weight: tensor(weight, [ins, outs]),
        bias,
        order: "in,out" as const,
      });
      const prepared = ({ weight, bias }: Affine, ins: number, outs: number) =>
        prepareLinear(attention, tensor(weight, [ins, outs]), { order: "in,out", bias });
      const layer = new MultiHeadAttention(
        attention,
        { heads },
        {
          query: projection(weights.query, size, size),
          key: projection(weights.key, size, size),
          value: projection(weights.value, size, size),
          output: projection(weights.dense, size, size),
        },
      );
      const up = prepared(weights.up, size, hidden);
      const down = prepared(weights.down, hidden, size);
      const input = tensor(x, [1, n, size]);
      let output = new Float32Array(0) as Float32Array;
      return {
        run() {
          const attended = normalized(x, layer.forward(input).output.data, weights.norm1);
          const between = linear(attention, tensor(attended, [n, size]), up);
          gelu(between.data);
          const fed = linear(attention, between, down).data;
          output = normalized(attended, fed, weights.norm2);
        },
        output: () => output,
        dispose() {
          for (const held of [layer, up, down]) held.dispose();
        },
      };
    },
  };
}

/** The norm of a + b, row by row. */
export function normalized(
  a: Float32Array,
  b: Float32Array,
  { weight, bias }: Affine,
): Float32Array {
  const size = weight.length;
  const result = new Float32Array(a.length);
  for (let row = 0; row < a.length; row += size) {
    let mean = 0;
    for (let i = 0; i < size; i++) mean += result[row + i] = a[row + i] + b[row + i];
    mean /= size;
    let variance = 0;
    for (let i = 0; i < size; i++) variance += (result[row + i] - mean) ** 2;
    const factor = 1 / Math.sqrt(variance / size + 1e-5);
    for (let i = 0; i < size; i++) {
      result[row + i] = (result[row + i] - mean) * factor * weight[i] + bias[i];
    }
  }
  return result;
}

/** x·Φ(x), erf by Abramowitz and Stegun 7.1.26, which is off by up to 1.5e-7. */
export function gelu(x: Float32Array): void {
  for (let i = 0; i < x.length; i++) {
    const a = Math.abs(x[i]) / Math.SQRT2;
    const t = 1 / (1 + 0.3275911 * a);
    const p =
      ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) *
      t;
    const erf = 1 - p * Math.exp(-a * a);
    x[i] *= 0.5 * (1 + Math.sign(x[i]) * erf);
  }
}
