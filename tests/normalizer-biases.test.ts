// Gradients of masks, relative biases and ALiBi's slopes where a normalizer makes the weights, against differences of
// the formula in float64, and the same bits by two threads.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttendOptions, attendPacked, type Tensor } from "wasm-attention";
import { relativeBias } from "wasm-attention/positions";
import {
  attendBackward,
  attendBackwardAsync,
  attendPackedBackward,
  type BackwardOptions,
} from "wasm-attention/training";
import { alphaEntmax, budget, modifiedWeights, type Normalizer } from "wasm-attention/variants";
import { bitsOf, engine, randomTensor, variants } from "./engines";
import { differences, dot, type HeadSizes, modifiedHeads } from "./reference-modified";
import { budgetRow } from "./reference-sparse";
import { entmaxRow } from "./reference-variants";

const sizes: HeadSizes = {
  ...{ batch: 2, heads: 4, keyValueHeads: 2 },
  ...{ queries: 5, keys: 7, depth: 6, columns: 3 },
};
const { batch, heads, keyValueHeads, queries, keys, depth, columns } = sizes;

type Row = (scores: readonly number[]) => number[];
const forms: [Normalizer, Row | undefined, number][] = [
  [alphaEntmax(1.5), (x) => entmaxRow(x, 1.5), 1],
  [budget(2.25), (x) => budgetRow(x, 2.25), 1],
  [
    modifiedWeights({
      weightMod: ({ weights }) => weights.set(weights.map((w) => 2 * w)),
      weightModGradient: ({ gradients }) => gradients.set(gradients.map((g) => 2 * g)),
    }),
    undefined,
    2,
  ],
];

/** Element of a tensor that is broadcast to [B, H, L, S]. */
const at = (dims: readonly number[], place: readonly number[]) =>
  dims.reduce((index, n, axis) => index * n + (n === 1 ? 0 : place[axis]), 0);

for (const variant of variants) {
  test(`masks of every broadcast, relative biases and slopes, ${variant}`, async () => {
    const attention = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    const { used } = attention.memory;
    const query = randomTensor([batch, heads, queries, depth], 1, 2);
    const key = randomTensor([batch, keyValueHeads, keys, depth], 2, 2);
    const value = randomTensor([batch, keyValueHeads, keys, columns], 3);
    const outputGradient = randomTensor([batch, heads, queries, columns], 4);
    const pass = { query, key, value, outputGradient };
    const exact = (x: Tensor) => Float64Array.from(x.data);
    const tensors = { query: exact(query), key: exact(key), value: exact(value) };
    const masks = [
      [1, 1, queries, keys],
      [batch, 1, queries, keys],
      [1, heads, queries, 1],
      [batch, heads, queries, keys],
    ].map((dims, seed) => randomTensor(dims, 10 + seed));
    const relative = randomTensor([heads, 2 * keys - 1], 20);
    const slopes = randomTensor([heads], 21);
    const learnt: [
      Pick<AttendOptions, "mask">,
      Tensor,
      (b: number, h: number, i: number, j: number) => number,
    ][] = [
      ...masks.map((mask): (typeof learnt)[number] => [
        { mask },
        mask,
        (...place) => at(mask.dims, place),
      ]),
      [
        { mask: relativeBias(relative) },
        relative,
        (_, h, i, j) => h * (2 * keys - 1) + j - i + keys - 1,
      ],
    ];
    const check = (
      options: BackwardOptions & { normalizer: Normalizer },
      [, row, times]: (typeof forms)[number],
      numbers: Float64Array,
      bias: (b: number, h: number, i: number, j: number) => number,
    ) => {
      const loss = () => {
        const [output] = modifiedHeads(sizes, tensors, (b, h) => ({
          scale: 1 / Math.sqrt(depth),
          visible: (i, j) => j <= i + 2,
          weigh: row,
          weightMod: (w) => times * w,
          bias: (i, j) => bias(b, h, i, j),
        }));
        return dot(output, outputGradient.data);
      };
      const got = attendBackward(attention, pass, options);
      const gradient = (got.maskGradient ?? got.slopesGradient) as Tensor;
      const want = differences(numbers, loss, 1e-6);
      assert.equal(gradient.data.length, want.length);
      for (const [i, g] of want.entries()) {
        const error = Math.abs(gradient.data[i] - g);
        assert.ok(error < 2e-5 * Math.max(1, Math.abs(g)), `${i}: ${gradient.data[i]} for ${g}`);
      }
      return got;
    };
    for (const form of forms) {
      const options = { normalizer: form[0], causal: true, queryOffset: 2 } as const;
      for (const [given, tensor, index] of learnt) {
        const numbers = exact(tensor);
        const asked = { ...options, ...given, gradients: { mask: true } };
        const got = check(asked, form, numbers, (...place) => numbers[index(...place)]);
        assert.deepEqual(got.maskGradient?.dims, tensor.dims);
        assert.deepEqual(bitsOf(await attendBackwardAsync(attention, pass, asked)), bitsOf(got));
      }
      const numbers = exact(slopes);
      const alibi = { slopes: slopes.data };
      const asked = { ...options, alibi, gradients: { alibi: true } };
      check(asked, form, numbers, (_, h, i, j) => -numbers[h] * Math.abs(j - i - 2));
    }
    assert.equal(attention.memory.used, used);

    // Large enough to be shared out.
    const large = {
      ...{ query: randomTensor([2, 4, 150, 16], 1, 2), key: randomTensor([2, 4, 150, 16], 2, 2) },
      outputGradient: randomTensor([2, 4, 150, 16], 3),
    };
    for (const dims of [
      [2, 4, 150, 150],
      [1, 4, 150, 150],
      [2, 1, 150, 150],
      [150, 150],
    ]) {
      const options = {
        ...{ normalizer: alphaEntmax(1.5), mask: randomTensor(dims, 5) },
        ...{ alibi: { slopes: slopes.data }, gradients: { mask: true, alibi: true } },
      };
      const given = { ...large, value: large.key };
      const want = bitsOf(attendBackward(attention, given, options));
      assert.deepEqual(bitsOf(attendBackward(two, given, options)), want);
      assert.deepEqual(bitsOf(await attendBackwardAsync(two, given, options)), want);
    }
    // The first of four is the longest by far: who does not wait for it is done before.
    const uneven = {
      ...{ query: randomTensor([4, 1, 150, 16], 1, 2), key: randomTensor([4, 1, 400, 16], 2, 2) },
      outputGradient: randomTensor([4, 1, 150, 16], 3),
    };
    const waiting = {
      ...{ normalizer: alphaEntmax(1.5), mask: randomTensor([150, 400], 5) },
      ...{ keyLengths: [400, 8, 8, 8], gradients: { mask: true } },
    };
    const given = { ...uneven, value: uneven.key };
    const want = bitsOf(attendBackward(attention, given, waiting));
    for (let i = 0; i < 5; i++) {
      assert.deepEqual(bitsOf(attendBackward(two, given, waiting)), want);
    }
    two.dispose();

    // Sequences end to end, each with a row of its own of the mask.
    const ends = [0, 4, 4, 10];
    const packed = { query: randomTensor([10, 2, 4], 6), key: randomTensor([10, 2, 4], 7) };
    const mask = randomTensor([3, 1, 1, 6], 8);
    const options = { normalizer: alphaEntmax(2), mask, cumulativeQueries: ends } as const;
    const { output } = attendPacked(attention, packed.query, packed.key, packed.key, options);
    const back = attendPackedBackward(
      attention,
      { ...packed, value: packed.key, outputGradient: output },
      { ...options, gradients: { mask: true } },
    );
    const sums = back.maskGradient as Tensor;
    assert.deepEqual(sums.dims, mask.dims);
    // Weights that sum to 1 do not change by what is added to all scores.
    for (const [n, count] of [4, 0, 6].entries()) {
      const row = sums.data.subarray(6 * n, 6 * n + 6);
      assert.ok(Math.abs(row.reduce((a, b) => a + b, 0)) < 1e-5);
      assert.equal(
        row.some((g) => g !== 0),
        count > 0,
      );
    }
  });
}
