// PyTorch's nn.TransformerEncoderLayer and nn.TransformerDecoderLayer in float64, from their formulas:
//
//   normFirst  x = x + f(norm(x))        else  x = norm(x + f(x))        for each sublayer f in turn
//   f          attention(x, x), attention(x, memory), linear2(activation(linear1(x)))
//
// Weights [out, in] by PyTorch's names. With `round` = Math.fround the naive computation in float32.

import { activations, norm, type Round, softmaxRow } from "./reference-blocks";

export type Parameters = Readonly<Record<string, Float64Array>>;

export interface Form {
  batch: number;
  size: number;
  heads: number;
  activation: keyof typeof activations;
  normFirst: boolean;
  centred: boolean;
  causal: boolean;
  decoder: boolean;
  /** Rows of x and of the memory; of the memory of each batch, how many are there. */
  rows: number;
  memoryRows: number;
  memoryLengths: readonly number[];
  /** Of each batch, the position of its first row: queries and keys turn, by pairs of neighbours. */
  positions?: readonly number[];
}

const exact: Round = (x) => x;

/** x · Wᵀ + b */
function linear(x: ArrayLike<number>, weight: Float64Array, bias: Float64Array, round: Round) {
  const outs = bias.length;
  const ins = weight.length / outs;
  return Float64Array.from({ length: (x.length / ins) * outs }, (_, index) => {
    const [row, out] = [Math.floor(index / outs), index % outs];
    let sum = bias[out];
    for (let i = 0; i < ins; i++) {
      sum = round(sum + round(x[row * ins + i] * weight[out * ins + i]));
    }
    return sum;
  });
}

/** x₀·cos − x₁·sin, x₁·cos + x₀·sin (Su et al. 2021, equation 34), by the angle of each row and pair. */
function rotated(
  data: Float64Array,
  { heads, size, rows }: Form,
  positions: readonly number[],
  round: Round,
): Float64Array {
  const depth = size / heads;
  const result = data.slice();
  for (let at = 0; at < data.length; at += 2) {
    const row = Math.floor(at / size);
    const position = positions[Math.floor(row / rows)] + (row % rows);
    const angle = position * 10000 ** (-(at % depth) / depth);
    const [cos, sin] = [round(Math.cos(angle)), round(Math.sin(angle))];
    result[at] = round(round(data[at] * cos) - round(data[at + 1] * sin));
    result[at + 1] = round(round(data[at + 1] * cos) + round(data[at] * sin));
  }
  return result;
}

function attention(
  x: Float64Array,
  memory: Float64Array | undefined,
  p: Parameters,
  name: string,
  form: Form,
  round: Round,
): Float64Array {
  const { batch, size, heads, rows } = form;
  const keys = memory ? form.memoryRows : rows;
  const part = (index: number) => {
    const of = (data: Float64Array, width: number) =>
      data.subarray(index * size * width, (index + 1) * size * width);
    const given = index && memory ? memory : x;
    const weight = of(p[`${name}.in_proj_weight`], size);
    return linear(given, weight, of(p[`${name}.in_proj_bias`], 1), round);
  };
  const depth = size / heads;
  const turned = (data: Float64Array) =>
    form.positions && !memory ? rotated(data, form, form.positions, round) : data;
  const [q, k, v] = [turned(part(0)), turned(part(1)), part(2)];
  const scale = round(1 / Math.sqrt(depth));
  const mixed = new Float64Array(x.length);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < rows; i++) {
        const scores = Array.from({ length: keys }, (_, j) => {
          const hidden = memory ? j >= form.memoryLengths[b] : form.causal && j > i;
          if (hidden) return -Infinity;
          let dot = 0;
          for (let d = 0; d < depth; d++) {
            const [at, other] = [(b * rows + i) * size, (b * keys + j) * size];
            dot = round(dot + round(q[at + h * depth + d] * k[other + h * depth + d]));
          }
          return round(dot * scale);
        });
        const weights = softmaxRow(scores, false, round);
        for (let d = 0; d < depth; d++) {
          let sum = 0;
          for (let j = 0; j < keys; j++)
            sum = round(sum + round(weights[j] * v[(b * keys + j) * size + h * depth + d]));
          mixed[(b * rows + i) * size + h * depth + d] = sum;
        }
      }
  return linear(mixed, p[`${name}.out_proj.weight`], p[`${name}.out_proj.bias`], round);
}

export function transformerLayer(
  x: Float64Array,
  memory: Float64Array,
  p: Parameters,
  form: Form,
  round: Round = exact,
): Float64Array {
  const { of, naive } = activations[form.activation];
  const activate = round === exact ? of : naive.of;
  const normed = (data: Float64Array, index: number) =>
    norm(
      data,
      {
        columns: form.size,
        centred: form.centred,
        eps: 1e-5,
        weight: p[`norm${index}.weight`],
        bias: p[`norm${index}.bias`],
      },
      round,
    );
  const feed = (data: Float64Array) => {
    const hidden = linear(data, p["linear1.weight"], p["linear1.bias"], round).map(activate);
    const up = p["gate.weight"];
    if (up) {
      const gate = linear(data, up, p["gate.bias"], round).map(activate);
      const plain = linear(data, p["linear1.weight"], p["linear1.bias"], round);
      return linear(
        plain.map((value, i) => round(value * gate[i])),
        p["linear2.weight"],
        p["linear2.bias"],
        round,
      );
    }
    return linear(hidden, p["linear2.weight"], p["linear2.bias"], round);
  };
  const sublayers = [
    (data: Float64Array) => attention(data, undefined, p, "self_attn", form, round),
    ...(form.decoder
      ? [(data: Float64Array) => attention(data, memory, p, "multihead_attn", form, round)]
      : []),
    feed,
  ];
  let stream = x;
  for (const [index, f] of sublayers.entries()) {
    const plus = (added: Float64Array) => stream.map((value, i) => round(value + added[i]));
    stream = form.normFirst
      ? plus(f(normed(stream, index + 1)))
      : normed(plus(f(stream)), index + 1);
  }
  return stream;
}
