// The layer in float64, written from the formulas, and gradients by central differences of it.

/** [B, L, E] in row-major order. */
export interface Sequence {
  readonly data: Float64Array;
  readonly dims: readonly [number, number, number];
}

/** Keras's eight: kernel and bias of query, key, value and output. */
export type Weights = readonly { readonly data: Float64Array; readonly dims: readonly number[] }[];

type Sees = (b: number, h: number, i: number, j: number) => boolean;

function project(x: Sequence, kernel: Float64Array, bias: Float64Array): Sequence {
  const [batch, length, size] = x.dims;
  const outputs = bias.length;
  const data = new Float64Array(batch * length * outputs);
  for (let row = 0; row < batch * length; row++) {
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let e = 0; e < size; e++) sum += x.data[row * size + e] * kernel[e * outputs + o];
      data[row * outputs + o] = sum;
    }
  }
  return { data, dims: [batch, length, outputs] };
}

export function layer(
  [query, value, key]: readonly [Sequence, Sequence, Sequence],
  weights: Weights,
  sees: Sees = () => true,
): Sequence {
  const [wq, bq, wk, bk, wv, bv, wo, bo] = weights.map(({ data }) => data);
  const [, heads, keyDim] = weights[0].dims;
  const valueDim = weights[4].dims[2];
  const q = project(query, wq, bq);
  const k = project(key, wk, bk);
  const v = project(value, wv, bv);
  const [batch, queries] = q.dims;
  const keys = k.dims[1];
  const data = new Float64Array(batch * queries * heads * valueDim);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < queries; i++) {
        const scores = Array.from({ length: keys }, (_, j) => {
          if (!sees(b, h, i, j)) return -Infinity;
          let sum = 0;
          for (let d = 0; d < keyDim; d++) {
            const at = h * keyDim + d;
            sum +=
              q.data[(b * queries + i) * heads * keyDim + at] *
              k.data[(b * keys + j) * heads * keyDim + at];
          }
          return sum / Math.sqrt(keyDim);
        });
        const most = Math.max(...scores);
        if (most === -Infinity) continue;
        const exponentials = scores.map((score) => Math.exp(score - most));
        const total = exponentials.reduce((a, b) => a + b);
        for (let j = 0; j < keys; j++) {
          for (let d = 0; d < valueDim; d++) {
            const at = h * valueDim + d;
            data[(b * queries + i) * heads * valueDim + at] +=
              (exponentials[j] / total) * v.data[(b * keys + j) * heads * valueDim + at];
          }
        }
      }
    }
  }
  return project({ data, dims: [batch, queries, heads * valueDim] }, wo, bo);
}

/** The gradient of `loss` with respect to each element of `x`, which is changed and put back. */
export function differences(x: Float64Array, loss: () => number, step = 1e-5): Float64Array {
  return Float64Array.from(x, (value, index) => {
    x[index] = value + step;
    const above = loss();
    x[index] = value - step;
    const below = loss();
    x[index] = value;
    return (above - below) / (2 * step);
  });
}
