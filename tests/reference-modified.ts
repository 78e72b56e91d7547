// One head of attention in float64 with what functions do on the way: s = scale · q·k, soft cap, scoreMod, a bias, what
// is visible; weights by softmax or α-entmax; weightMod; their sums of values. To be moved for differences.

import { entmaxRow } from "./reference-variants";

type Numbers = ArrayLike<number>;

export interface ModifiedHead {
  queries: number;
  keys: number;
  depth: number;
  columns: number;
  query: Numbers;
  key: Numbers;
  value: Numbers;
  scale: number;
  softcap?: number | undefined;
  /** 0 for softmax. */
  alpha?: number | undefined;
  /** Instead of both: weights of a row of scores. */
  weigh?: ((scores: readonly number[]) => number[]) | undefined;
  visible(i: number, j: number): boolean;
  scoreMod?: ((score: number, i: number, j: number) => number) | undefined;
  bias?: ((i: number, j: number) => number) | undefined;
  weightMod?: ((weight: number, i: number, j: number) => number) | undefined;
}

/** [output, weights, logSumExp] */
export function modifiedHead(head: ModifiedHead): [number[], number[], number[]] {
  const { queries, keys, depth, columns, query, key, value, scale, softcap = 0, alpha = 0 } = head;
  const output: number[] = [];
  const weights: number[] = [];
  const logSumExp: number[] = [];
  for (let i = 0; i < queries; i++) {
    const scores = Array.from({ length: keys }, (_, j) => {
      if (!head.visible(i, j)) return -Infinity;
      let s = 0;
      for (let d = 0; d < depth; d++) s += query[i * depth + d] * key[j * depth + d];
      s *= scale;
      if (softcap) s = softcap * Math.tanh(s / softcap);
      if (head.scoreMod) s = head.scoreMod(s, i, j);
      return s + (head.bias?.(i, j) ?? 0);
    });
    const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const e = scores.map((s) => (most === -Infinity ? 0 : Math.exp(s - most)));
    const sum = e.reduce((a, b) => a + b, 0);
    const made = head.weigh
      ? head.weigh(scores)
      : alpha
        ? entmaxRow(scores, alpha)
        : e.map((x) => (sum ? x / sum : 0));
    const row = made.map((w, j) =>
      scores[j] === -Infinity ? 0 : (head.weightMod?.(w, i, j) ?? w),
    );
    logSumExp.push(sum ? most + Math.log(sum) : -Infinity);
    weights.push(...row);
    for (let c = 0; c < columns; c++)
      output.push(row.reduce((total, w, j) => total + w * value[j * columns + c], 0));
  }
  return [output, weights, logSumExp];
}

export interface HeadSizes {
  batch: number;
  heads: number;
  keyValueHeads: number;
  queries: number;
  keys: number;
  depth: number;
  columns: number;
}

/** The same of all heads [B, H], of tensors in layout BHLD; `of` says what a head has of its own. */
export function modifiedHeads(
  { batch, heads, keyValueHeads, ...sizes }: HeadSizes,
  tensors: { query: Float64Array; key: Float64Array; value: Float64Array },
  of: (b: number, h: number) => Omit<ModifiedHead, keyof typeof sizes | keyof typeof tensors>,
): [number[], number[], number[]] {
  const { queries, keys, depth, columns } = sizes;
  const part = (data: Float64Array, index: number, size: number) =>
    data.subarray(index * size, (index + 1) * size);
  const all: [number[], number[], number[]] = [[], [], []];
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++) {
      const kv = b * keyValueHeads + Math.floor((h * keyValueHeads) / heads);
      const made = modifiedHead({
        ...sizes,
        query: part(tensors.query, b * heads + h, queries * depth),
        key: part(tensors.key, kv, keys * depth),
        value: part(tensors.value, kv, keys * columns),
        ...of(b, h),
      });
      for (const [index, numbers] of made.entries()) all[index].push(...numbers);
    }
  return all;
}

export const dot = (a: Numbers, b: Numbers): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) if (b[i] !== 0) sum += a[i] * b[i];
  return sum;
};

/** Central differences of a loss by each of `numbers`, or along drawn directions where they are many. */
export function differences(numbers: Float64Array, loss: () => number, step = 1e-5): Float64Array {
  return Float64Array.from(numbers, (x, i) => {
    numbers[i] = x + step;
    const above = loss();
    numbers[i] = x - step;
    const below = loss();
    numbers[i] = x;
    return (above - below) / (2 * step);
  });
}

/** Σ gradient · direction by differences. */
export function along(
  numbers: Float64Array,
  direction: Numbers,
  loss: () => number,
  step = 1e-6,
): number {
  const before = numbers.slice();
  const moved = (by: number) => {
    for (let i = 0; i < numbers.length; i++) numbers[i] = before[i] + by * direction[i];
    return loss();
  };
  const difference = (moved(step) - moved(-step)) / (2 * step);
  numbers.set(before);
  return difference;
}
