// Whether this engine computes what it should: there are some that accept SIMD and get it wrong. A
// few answers when an engine is made, all kinds of kernels on request, against plain JavaScript.

import { type Attention, checkAttention } from "./attend/attention";
import { mergeStates } from "./attend/merge";
import type { AttendOptions } from "./attend/options";
import { UnsupportedError } from "./errors";
import { linear, prepareLinear } from "./linear/linear";
import { elementsOf } from "./tensor/dims";
import type { Tensor } from "./tensor/tensor";

/** Numbers without a pattern in [−1, 1], one for each `seed`. */
export function numbers(dims: readonly number[], seed: number): Tensor {
  const data = Float32Array.from({ length: elementsOf(dims) }, (_, i) => Math.sin(i * i + seed));
  return { data, dims };
}

/** All answers are of about 1, and right to some units of float32's last place. */
const NEAR = 2e-5;

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

/** softmax(q·kᵀ/√D)·v with some of the options, and logSumExp. */
export function softmaxed(sizes: Sizes, tensors: readonly Numbers[], options: AttendOptions) {
  const [heads, rows, depth, keys, columns] = sizes;
  const { softcap, causal, sinks, alibi } = options;
  const [q, k, v] = tensors.map((numbers) => Float64Array.from(numbers)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const output = new Float64Array(heads * rows * columns);
  const logSumExp = new Float64Array(heads * rows);
  for (let r = 0; r < heads * rows; r++) {
    const [h, row] = [Math.floor(r / rows), r % rows];
    const seen = causal ? Math.min(row + 1, keys) : keys;
    const query = q.subarray(r * depth, (r + 1) * depth);
    const weights = new Float64Array(seen);
    let sum = sinks ? Math.exp(at(sinks, h)) : 0;
    for (let j = 0; j < seen; j++) {
      let s = dot(query, k.subarray((h * keys + j) * depth)) / Math.sqrt(depth);
      if (softcap) s = softcap * Math.tanh(s / softcap);
      if (alibi) s -= at(alibi.slopes, h) * Math.abs(row - j);
      weights[j] = Math.exp(s);
      sum += Math.exp(s);
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

function checkAttend(name: string, attention: Attention, sizes: Sizes, options: AttendOptions) {
  const [q, k, v] = inputs(sizes);
  const { output, logSumExp } = attention.attend(q, k, v, { ...options, logSumExp: true });
  const want = softmaxed(sizes, [q.data, k.data, v.data], options);
  check(name, "attend", output.data, want.output);
  check(name, "logSumExp", (logSumExp as Tensor).data, want.logSumExp);
}

/** One query and some: next to nothing beside what making an engine takes. */
export function checkAnswers(name: string, attention: Attention): void {
  checkAttend(name, attention, [1, 1, 9, 10, 35], {});
  checkAttend(name, attention, [1, 5, 9, 10, 3], {});
}

/**
 * Asks every kind of kernel, those of the extensions too, for answers that are known, in a tenth of a
 * second; `createAttention` asks for two of them.
 *
 * @throws UnsupportedError with the number that is wrong; DisposedError.
 */
export function selfTest(attention: Attention): void {
  const name = "selfTest";
  const { extensions } = checkAttention(name, attention).running(name);
  const every = { causal: true, softcap: 2, sinks: [0.5, 1], alibi: { slopes: [0.1, 0.2] } };
  for (const rows of [1, 6, 70]) {
    checkAttend(name, attention, [2, rows, 35, 140, 37], {});
    checkAttend(name, attention, [2, rows, 6, 11, 3], every);
  }
  checkMerging(name, attention);
  checkLinear(name, attention);
  for (const extension of extensions) extension.check(name, attention as never);
}

/** What both halves of the keys make together. */
function checkMerging(name: string, attention: Attention): void {
  const options = { causal: true, softcap: 2, logSumExp: true } as const;
  const [q, k, v] = inputs([2, 70, 6, 150, 9]);
  const whole = attention.attend(q, k, v, options);
  const parts = [0, 75].map((from) => {
    const mask = {
      data: Uint8Array.from({ length: 150 }, (_, j) => +(j - from < 75 && j >= from)),
      dims: [150],
    };
    return attention.attend(q, k, v, { ...options, mask });
  });
  check(name, "mergeStates", mergeStates(attention, parts).output.data, whole.output.data);
}

/** [rows, depth] · [depth, columns], by plain JavaScript. */
export function product(x: Tensor, weight: Tensor): number[] {
  const [rows, depth] = x.dims as [number, number];
  const columns = weight.dims[1] as number;
  return Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns) * depth;
    return dot(x.data.subarray(row, row + depth), weight.data.subarray(i % columns), columns);
  });
}

function checkLinear(name: string, attention: Attention): void {
  const [x, weight] = [numbers([70, 33], 5), numbers([33, 41], 6)];
  using prepared = prepareLinear(attention, weight, { order: "in,out" });
  const { data } = linear(attention, x, prepared);
  check(name, "linear", data, product(x, weight));
}
