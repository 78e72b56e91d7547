// Dropout on the weights: the generator against its published vectors, the share that is dropped, the
// same mask whatever the tiles, the layout and the road.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attendPacked, type Tensor, tensor } from "wasm-attention";
import { type AttendState, attendBackward, attendPackedBackward } from "wasm-attention/training";
import { engine, randomTensor, variants } from "./engines";
import { dropoutFactors, philox } from "./philox";

test("the tests' own Philox-4x32-10 gives Random123's known answers", () => {
  const all = 0xffffffff;
  assert.deepEqual(philox([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  assert.deepEqual(
    philox([all, all, all, all], [all, all]),
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  );
  assert.deepEqual(
    philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

for (const variant of variants) {
  test(`weights are dropped as often as asked, and by the seed, ${variant}`, async () => {
    const attention = await engine(variant);
    const zero = tensor(new Float32Array(2 * 3 * 100 * 8), [2, 3, 100, 8]);
    const draw = (probability: number, seed: number) =>
      attention.attend(zero, zero, zero, { weights: true, dropout: { probability, seed } }).weights!
        .data;
    // The last two have the highest bit of a word.
    for (const [probability, seed] of [
      [0.1, 2 ** 40 + 5],
      [0.5, 2 ** 31],
      [0.9, 2 ** 53 - 1],
    ] as const) {
      const weights = draw(probability, seed);
      const dropped = weights.filter((w) => w === 0).length / weights.length;
      // Six standard deviations of 60,000 draws.
      const most = 6 * Math.sqrt((probability * (1 - probability)) / weights.length);
      assert.ok(Math.abs(dropped - probability) < most, `${dropped} of ${probability}`);
      const nonzero = weights.find((w) => w !== 0) as number;
      assert.ok(Math.abs(nonzero - 0.01 / (1 - probability)) < 1e-8, `${nonzero}`);
      assert.deepEqual(draw(probability, seed), weights);
      for (const other of [5, 2 ** 40 + 6, 2 ** 41 + 5]) {
        assert.notDeepEqual(draw(probability, other), weights);
      }
      const factor = dropoutFactors(probability, seed, 3);
      for (let index = 0; index < weights.length; index++) {
        const [j, i] = [index % 100, Math.floor(index / 100) % 100];
        const head = Math.floor(index / 10_000);
        const keeps = factor(Math.floor(head / 3), head % 3, i, j) !== 0;
        assert.equal(weights[index] !== 0, keeps, `${index}`);
      }
    }
    const plain = attention.attend(zero, zero, zero, { weights: true });
    const none = attention.attend(zero, zero, zero, {
      weights: true,
      dropout: { probability: 0, seed: 1 },
    });
    assert.deepEqual(none, plain);
  });

  test(`logSumExp is that of all weights, ${variant}`, async () => {
    const attention = await engine(variant);
    const [q, k, v] = [1, 2, 3].map((seed) => randomTensor([2, 2, 70, 16], seed));
    const dropout = { probability: 0.3, seed: 7 };
    const dropped = attention.attend(q, k, v, { logSumExp: true, dropout });
    assert.deepEqual(dropped.logSumExp, attention.attend(q, k, v, { logSumExp: true }).logSumExp);
  });

  test(`packed sequences drop as a padded batch does, ${variant}`, async () => {
    const attention = await engine(variant);
    const [queryLengths, keyLengths] = [
      [1, 130, 67],
      [200, 131, 3],
    ];
    const starts = ([a, b, c]: number[]) => [0, a, a + b, a + b + c];
    const [queries, keys] = [starts(queryLengths), starts(keyLengths)];
    const padded = (x: Tensor, offsets: number[], longest: number) => {
      const size = x.dims[1] * x.dims[2];
      const data = new Float32Array(3 * longest * size);
      for (let b = 0; b < 3; b++) {
        data.set(x.data.subarray(offsets[b] * size, offsets[b + 1] * size), b * longest * size);
      }
      return tensor(data, [3, longest, x.dims[1], x.dims[2]]);
    };
    const [q, g] = [1, 2].map((seed) => randomTensor([198, 2, 16], seed));
    const [k, v] = [3, 4].map((seed) => randomTensor([334, 2, 16], seed));
    const shared = { dropout: { probability: 0.4, seed: 11 }, logSumExp: true };
    const packed = { ...shared, cumulativeQueries: queries, cumulativeKeys: keys };
    const batch = { ...shared, layout: "BLHD", queryLengths, keyLengths } as const;
    const one = attendPacked(attention, q, k, v, packed);
    const [pq, pg] = [q, g].map((x) => padded(x, queries, 130));
    const [pk, pv] = [k, v].map((x) => padded(x, keys, 200));
    const many = attention.attend(pq, pk, pv, batch);
    assert.deepEqual(padded(one.output, queries, 130), many.output);
    const back = attendPackedBackward(
      attention,
      { ...(one as AttendState), query: q, key: k, value: v, outputGradient: g },
      packed,
    );
    const wide = attendBackward(
      attention,
      { ...(many as AttendState), query: pq, key: pk, value: pv, outputGradient: pg },
      batch,
    );
    assert.deepEqual(padded(back.queryGradient, queries, 130), wide.queryGradient);
    assert.deepEqual(padded(back.keyGradient, keys, 200), wide.keyGradient);
    assert.deepEqual(padded(back.valueGradient, keys, 200), wide.valueGradient);
  });
}
