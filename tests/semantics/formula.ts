// Attention as a library writes it, in float64: softmax(score) · v, where score is that library's own
// formula; and what attend makes of the options that docs/semantics/ gives for it.

import assert from "node:assert/strict";
import { type AttendOptions, type AttendResult, type Tensor, tensor } from "wasm-attention";
import { randomArray, type Whole } from "../engines";

export const B = 2;
export const H = 4;
export const L = 3;
export const S = 5;
export const D = 4;
export const SCALE = 1 / Math.sqrt(D);

/** One score: where it stands, and q·k without a scale. */
export interface Place {
  readonly b: number;
  readonly h: number;
  readonly i: number;
  readonly j: number;
  readonly dot: number;
}
export type Score = (place: Place) => number;

export interface Inputs {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}

/** A row of a page: runs what is written there and compares it. */
export type Try = (attention: Whole) => void | Promise<void>;
export type Tries = Readonly<Record<string, Try>>;

export const randomTensor = (dims: readonly number[], seed: number): Tensor =>
  tensor(
    randomArray(
      dims.reduce((a, b) => a * b, 1),
      seed,
      1.5,
    ),
    [...dims],
  );

/** Sizes that are not the usual ones. */
interface Sizes {
  heads?: number;
  keyValueHeads?: number;
  queries?: number;
  keys?: number;
}

export const inputs = (sizes: Sizes = {}): Inputs => {
  const { heads = H, keyValueHeads = heads, queries = L, keys = S } = sizes;
  return {
    q: randomTensor([B, heads, queries, D], 1),
    k: randomTensor([B, keyValueHeads, keys, D], 2),
    v: randomTensor([B, keyValueHeads, keys, D], 3),
  };
};

/** Each logit's share; all 0 where none is above −∞. */
export function softmax(logits: readonly number[]): number[] {
  const parts = logits.map((logit) => Math.exp(logit));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => (sum === 0 ? 0 : part / sum));
}

/** [B, H, L, …] of softmax(score) · v; `sink` is one more logit without a value. */
export function solve(
  { q, k, v }: Inputs,
  score: Score,
  sink: (h: number) => number = () => -Infinity,
) {
  const [batch, heads, queries, size] = q.dims;
  const [, keyValueHeads, keys] = k.dims;
  const scores: number[] = [];
  const weights: number[] = [];
  const output: number[] = [];
  const logSumExp: number[] = [];
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < queries; i++) {
        const head = b * keyValueHeads + Math.floor((h * keyValueHeads) / heads);
        const query = q.data.subarray(((b * heads + h) * queries + i) * size).subarray(0, size);
        const row = Array.from({ length: keys }, (_, j) => {
          const key = k.data.subarray((head * keys + j) * size);
          return score({ b, h, i, j, dot: query.reduce((sum, x, d) => sum + x * key[d], 0) });
        });
        const logits = [...row, sink(h)];
        const shares = softmax(logits).slice(0, keys);
        scores.push(...row);
        weights.push(...shares);
        logSumExp.push(Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)));
        for (let d = 0; d < size; d++)
          output.push(
            shares.reduce((sum, w, j) => sum + w * v.data[(head * keys + j) * size + d], 0),
          );
      }
  return { scores, weights, output, logSumExp };
}

export function close(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  name = "output",
  within = 3e-6,
): void {
  assert.equal(got.length, want.length, name);
  for (let i = 0; i < got.length; i++) {
    const near = Object.is(got[i], want[i]) || Math.abs(got[i] - want[i]) <= within;
    assert.ok(near, `${name}[${i}] is ${got[i]}, there it is ${want[i]}`);
  }
}

/** `options` give that library's output, weights and, unless it is another there, logSumExp. */
export function same(
  attention: Whole,
  options: AttendOptions,
  score: Score,
  {
    x = inputs(),
    sink,
    shifted = false,
    within,
  }: { x?: Inputs; sink?: (h: number) => number; shifted?: boolean; within?: number } = {},
): AttendResult {
  const got = attention.attend(x.q, x.k, x.v, { ...options, weights: true, logSumExp: true });
  const want = solve(x, score, sink);
  close(got.output.data, want.output, "output", within);
  close(got.weights?.data ?? [], want.weights, "weights", within);
  if (!shifted) close(got.logSumExp?.data ?? [], want.logSumExp, "logSumExp");
  return got;
}

/** Axes 1 and 2 change places: [B, H, L, D] ↔ [B, L, H, D]. */
export function swapped({ data, dims: [a, b, c, d] }: Tensor): Tensor {
  const result = new Float32Array(data.length);
  for (let x = 0; x < a; x++)
    for (let y = 0; y < b; y++)
      for (let z = 0; z < c; z++)
        for (let w = 0; w < d; w++)
          result[((x * c + z) * b + y) * d + w] = data[((x * b + y) * c + z) * d + w];
  return tensor(result, [a, c, b, d]);
}

/** `size` rows of axis 2 of a [B, H, L, D]. */
export function rows({ data, dims: [b, h, l, d] }: Tensor, from: number, size: number): Tensor {
  const parts = Array.from({ length: b * h }, (_, at) =>
    data.subarray((at * l + from) * d, (at * l + from + size) * d),
  );
  return tensor(Float32Array.from(parts.flatMap((part) => [...part])), [b, h, size, d]);
}

/** Ones and zeros of a shape, from where they stand. */
export const booleans = (dims: readonly number[], visible: (index: number) => boolean) => ({
  data: Uint8Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, at) =>
    visible(at) ? 1 : 0,
  ),
  dims: [...dims],
});

/** One head's numbers after their rotary turn: pair p by angle(p). */
export function turn(
  x: ArrayLike<number>,
  pairing: "half" | "interleaved",
  angles: readonly number[],
  factor = 1,
): number[] {
  const result = Array.from(x);
  for (const [p, angle] of angles.entries()) {
    const [a, b] = pairing === "half" ? [p, p + angles.length] : [2 * p, 2 * p + 1];
    result[a] = factor * (x[a] * Math.cos(angle) - x[b] * Math.sin(angle));
    result[b] = factor * (x[b] * Math.cos(angle) + x[a] * Math.sin(angle));
  }
  return result;
}

/** x [B, H, L, D] with each row turned by the angles of its position. */
export const turned = (
  x: Tensor,
  pairing: "half" | "interleaved",
  angles: (i: number, b: number) => readonly number[],
  factor = 1,
): number[] => {
  const [, heads, length, size] = x.dims;
  return Array.from({ length: x.data.length / size }, (_, row) =>
    turn(
      x.data.subarray(row * size, (row + 1) * size),
      pairing,
      angles(row % length, Math.floor(row / length / heads)),
      factor,
    ),
  ).flat();
};

/** base^(−2p/size) of each pair. */
export const frequenciesOf = (size: number, base = 10000): number[] =>
  Array.from({ length: size / 2 }, (_, p) => base ** ((-2 * p) / size));
