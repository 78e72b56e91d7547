// Known answers of every kind of kernel, asked for on request; `createAttention` asks for two of them.

import {
  at,
  attended,
  check,
  checkAnswer,
  dot,
  inputs,
  type Numbers,
  numbers,
  type Rule,
  type Sizes,
} from "./answers";
import { type Attention, checkAttention } from "./attend/attention";
import { mergeStates } from "./attend/merge";
import type { AttendOptions } from "./attend/options";
import { linear, prepareLinear } from "./linear/linear";
import type { Tensor } from "./tensor/tensor";

/** Some of the options, as what they do. */
function ruleOf({ softcap, causal, sinks, alibi }: AttendOptions): Rule {
  return {
    ...(causal && { seen: (row: number) => row + 1 }),
    ...(sinks && { sink: (head: number) => Math.exp(at(sinks, head)) }),
    score(s, head, row, key) {
      const capped = softcap ? softcap * Math.tanh(s / softcap) : s;
      return alibi ? capped - at(alibi.slopes, head) * Math.abs(row - key) : capped;
    },
  };
}

/** softmax(q·kᵀ/√D)·v with some of the options, and logSumExp. */
export function softmaxed(sizes: Sizes, tensors: readonly Numbers[], options: AttendOptions) {
  return attended(sizes, tensors, ruleOf(options));
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
    checkAnswer(name, attention, [2, rows, 35, 140, 37]);
    checkAnswer(name, attention, [2, rows, 6, 11, 3], every, ruleOf(every));
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
