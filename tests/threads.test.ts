// Any number of threads gives the same bits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attendPacked, linear, MultiHeadAttention, prepareLinear } from "wasm-attention";
import { type AttendState, attendBackward, linearBackward } from "wasm-attention/training";
import { bitsOf, engine, randomArray, randomTensor, variants, type Whole } from "./engines";

const [q, k, v] = [
  randomTensor([2, 6, 150, 32], 1),
  randomTensor([2, 2, 333, 32], 2),
  randomTensor([2, 2, 333, 48], 3),
];
const few = randomTensor([2, 6, 5, 32], 4);
const rows = randomTensor([3, 100, 96], 5);
const matrix = (inputs: number, outputs: number, seed: number) =>
  randomTensor([inputs, outputs], seed);

type Call = [name: string, call: (a: Whole) => object];

/** Each large enough to be shared. */
const calls: Call[] = [
  ["attend", (a) => a.attend(q, k, v, { logSumExp: true })],
  [
    "causal, weights, scores",
    (a) => a.attend(q, k, v, { causal: true, weights: true, scores: "biased" }),
  ],
  ["mean weights", (a) => a.attend(q, k, v, { weights: "mean" })],
  ["scoreMod", (a) => a.attend(q, k, v, { scoreMod: ({ scores }) => scores.fill(0.25) })],
  [
    "few queries",
    (a) => a.attend(few, randomTensor([2, 2, 3333, 32], 6), randomTensor([2, 2, 3333, 32], 7)),
  ],
  [
    "window, lengths",
    (a) => a.attend(q, k, v, { window: { left: 40, right: 3 }, keyLengths: [333, 100] }),
  ],
  [
    "attendPacked",
    (a) => {
      const x = randomTensor([900, 4, 32], 8);
      return attendPacked(a, x, x, x, { cumulativeQueries: [0, 1, 400, 400, 900] });
    },
  ],
  ["dropout", (a) => a.attend(q, k, v, { weights: true, dropout: { probability: 0.2, seed: 3 } })],
  [
    "attendBackward",
    (a) => {
      const options = {
        causal: true,
        alibi: { slopes: [1, 2, 3, 4, 5, 6] },
        sinks: [1, 2, 3, 4, 5, 6],
      };
      const state = a.attend(q, k, v, { ...options, logSumExp: true });
      const gradients = { alibi: true, sinks: true };
      const given = state as AttendState;
      return attendBackward(
        a,
        { ...given, query: q, key: k, value: v, outputGradient: randomTensor([2, 6, 150, 48], 12) },
        { ...options, gradients },
      );
    },
  ],
  [
    "attendBackward, one head, mask and dropout",
    (a) => {
      const [x, y] = [randomTensor([700, 32], 13), randomTensor([1500, 32], 14)];
      const options = { dropout: { probability: 0.1, seed: 5 }, softcap: 3 };
      const mask = { data: randomArray(1500, 15), dims: [1500] };
      const both = { ...options, mask };
      const state = a.attend(x, y, y, { ...both, logSumExp: true }) as AttendState;
      const masked = { ...both, gradients: { mask: true } };
      return {
        ...attendBackward(a, { ...state, query: x, key: y, value: y, outputGradient: x }, both),
        mask: attendBackward(a, { ...state, query: x, key: y, value: y, outputGradient: x }, masked)
          .maskGradient,
      };
    },
  ],
  [
    "attendBackward, a mask that all heads and batches add to",
    (a) => {
      const mask = { data: randomArray(150 * 333, 17), dims: [150, 333] };
      const state = a.attend(q, k, v, { mask, logSumExp: true }) as AttendState;
      const options = { mask, gradients: { mask: true } };
      return attendBackward(
        a,
        { ...state, query: q, key: k, value: v, outputGradient: randomTensor([2, 6, 150, 48], 18) },
        options,
      );
    },
  ],
  ...[
    [2, 6],
    [2, 1],
    [1, 6],
  ].map(
    ([batch, heads]): Call => [
      `attendBackward, a mask of ${batch} batches and ${heads} heads`,
      (a) => {
        const mask = randomTensor([batch!, heads!, 150, 333], 17);
        const state = a.attend(q, k, v, { mask, logSumExp: true });
        return attendBackward(
          a,
          {
            ...state,
            query: q,
            key: k,
            value: v,
            outputGradient: randomTensor([2, 6, 150, 48], 18),
          },
          { mask, gradients: { mask: true } },
        );
      },
    ],
  ),
  [
    "linearBackward",
    (a) => {
      using weight = prepareLinear(a, matrix(96, 200, 9), { order: "in,out" });
      return linearBackward(a, randomTensor([3, 100, 200], 16), rows, weight);
    },
  ],
  [
    "linear",
    (a) => {
      using weight = prepareLinear(a, matrix(96, 200, 9), { order: "in,out" });
      return { output: linear(a, rows, weight) };
    },
  ],
  [
    "forward",
    (a) => {
      const weights = {
        wq: matrix(96, 96, 1),
        wk: matrix(96, 96, 2),
        wv: matrix(96, 96, 3),
        dense: matrix(96, 96, 4),
      };
      using layer = MultiHeadAttention.fromMatrices(a, weights, { heads: 4 });
      return layer.forward(rows);
    },
  ],
  [
    "out, allocated and overlapping the query",
    (a) => {
      using x = a.allocate([1, 4, 300, 32]);
      x.data.set(randomTensor([1, 4, 300, 32], 10).data);
      return { output: { data: a.attend(x, x, x, { out: x }).output.data.slice() } };
    },
  ],
];

for (const variant of variants) {
  test(`the same bits from 1, 2, 3 and 5 threads, ${variant}`, async () => {
    using one = await engine(variant);
    const expected = calls.map(([, call]) => bitsOf(call(one)));
    assert.equal(one.threads, 1);
    assert.equal(one.threadsFallback, undefined);
    for (const count of [2, 3, 5]) {
      using many = await engine(variant, { threads: count });
      assert.equal(many.threads, count, many.threadsFallback);
      for (let round = 0; round < 3; round++) {
        for (const [index, [name, call]] of calls.entries()) {
          assert.deepEqual(bitsOf(call(many)), expected[index], `${name}, ${count} threads`);
        }
      }
      assert.equal(many.threads, count, many.threadsFallback);
    }
  });
}
