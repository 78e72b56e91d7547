// Whether this engine computes what it should: there are some that accept SIMD and get it wrong. A few
// answers when an engine is made, against plain JavaScript; more on request, see selftest.ts.

import type { Attention } from "./attend/attention";
import type { AttendOptions } from "./attend/options";
import { UnsupportedError } from "./errors";
import { elementsOf } from "./tensor/dims";
import type { Tensor } from "./tensor/tensor";

/** Numbers without a pattern in [−1, 1], one for each `seed`. */
export function numbers(dims: readonly number[], seed: number): Tensor {
  const data = Float32Array.from({ length: elementsOf(dims) }, (_, i) => Math.sin(i * i + seed));
  return { data, dims };
}

/** All answers are of about 1, and right to some units of float32's last place. */
export const NEAR = 2e-5;

export type Numbers = ArrayLike<number>;

export function check(operation: string, what: string, got: Numbers, want: Numbers): void {
  for (let i = 0; i < want.length; i++) {
    if (Math.abs((got[i] as number) - (want[i] as number)) <= NEAR) continue;
    throw new UnsupportedError(
      operation,
      "WebAssembly",
      "an engine whose SIMD computes what it should (reproducible: true needs less of it)",
      `${got[i]} for ${want[i]} in ${what}`,
    );
  }
}

export const at = (values: Numbers | undefined, i: number) => values?.[i] as number;

/** Σ a[n]·b[n·step] over all of a. */
export function dot(a: Numbers, b: Numbers, step = 1): number {
  let sum = 0;
  for (let n = 0; n < a.length; n++) sum += (a[n] as number) * (b[n * step] as number);
  return sum;
}

/** Dims [H, L, D] of the query, S and Dv. */
export type Sizes = readonly [
  heads: number,
  rows: number,
  depth: number,
  keys: number,
  columns: number,
];

/** What options do to scores; without them every query sees all keys, and no sink. */
export interface Rule {
  /** How many keys a row sees, if there are so many. */
  seen?(row: number): number;
  score?(score: number, head: number, row: number, key: number): number;
  /** e^sink. */
  sink?(head: number): number;
}

/** softmax(q·kᵀ/√D)·v, and logSumExp. */
export function attended(sizes: Sizes, tensors: readonly Numbers[], rule: Rule) {
  const [heads, rows, depth, keys, columns] = sizes;
  const [q, k, v] = tensors.map((numbers) => Float64Array.from(numbers)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const output = new Float64Array(heads * rows * columns);
  const logSumExp = new Float64Array(heads * rows);
  for (let r = 0; r < heads * rows; r++) {
    const [h, row] = [Math.floor(r / rows), r % rows];
    const query = q.subarray(r * depth, (r + 1) * depth);
    const weights = new Float64Array(Math.min(rule.seen?.(row) ?? keys, keys));
    let sum = rule.sink?.(h) ?? 0;
    for (let j = 0; j < weights.length; j++) {
      const s = dot(query, k.subarray((h * keys + j) * depth)) / Math.sqrt(depth);
      weights[j] = Math.exp(rule.score?.(s, h, row, j) ?? s);
      sum += weights[j] as number;
    }
    for (let i = 0; i < columns; i++) {
      output[r * columns + i] = dot(weights, v.subarray(h * keys * columns + i), columns) / sum;
    }
    logSumExp[r] = Math.log(sum);
  }
  return { output, logSumExp };
}

export function inputs([heads, rows, depth, keys, columns]: Sizes): [Tensor, Tensor, Tensor] {
  return [
    numbers([1, heads, rows, depth], 1),
    numbers([1, heads, keys, depth], 2),
    numbers([1, heads, keys, columns], 3),
  ];
}

export function checkAnswer(
  name: string,
  attention: Attention,
  sizes: Sizes,
  options: AttendOptions = {},
  rule: Rule = {},
): void {
  const [q, k, v] = inputs(sizes);
  const { output, logSumExp } = attention.attend(q, k, v, { ...options, logSumExp: true });
  const want = attended(sizes, [q.data, k.data, v.data], rule);
  check(name, "attend", output.data, want.output);
  check(name, "logSumExp", (logSumExp as Tensor).data, want.logSumExp);
}

/** One query and some: next to nothing beside what making an engine takes. */
export function checkAnswers(name: string, attention: Attention): void {
  checkAnswer(name, attention, [1, 1, 9, 10, 35]);
  checkAnswer(name, attention, [1, 5, 9, 10, 3]);
}
