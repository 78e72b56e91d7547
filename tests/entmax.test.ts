// entmax of tensors against halving in float64, published values, and gradients against differences.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import { entmax, entmaxAsync, entmaxBackward, entmaxBackwardAsync } from "wasm-attention/variants";
import { bitsOf, engine, randomArray, randomTensor, variants } from "./engines";
import { shareOfTolerance } from "./reference";
import { entmaxNaive, entmaxRow } from "./reference-variants";

const alphas = [1.01, 1.25, 1.5, 1.75, 2, 2.5, 4];

for (const variant of variants) {
  test(`rows of every length, over every axis, ${variant}`, async () => {
    const attention = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    for (const alpha of alphas)
      for (const columns of [1, 2, 3, 5, 127, 128, 129, 300])
        for (const amplitude of [0.01, 3, 1000]) {
          const x = randomArray(columns * 3, columns, amplitude);
          x.fill(-Infinity, 0, columns >> 1);
          const rows = Array.from({ length: 3 }, (_, i) =>
            Array.from(x.subarray(i * columns, (i + 1) * columns)),
          );
          const rounded = Math.fround(alpha);
          const want = rows.flatMap((row) => entmaxRow(row, rounded));
          const naive = rows.flatMap((row) => entmaxNaive(row, rounded));
          const last = entmax(attention, tensor(x, [3, columns]), { alpha });
          const share = shareOfTolerance(last.data, want, [naive]);
          assert.ok(share <= 1, `${alpha}, ${columns}, ${amplitude}: ${share} of the tolerance`);
          const across = Float32Array.from(x, (_, i) => x[(i % 3) * columns + Math.floor(i / 3)]);
          const first = entmax(attention, tensor(across, [columns, 3]), { alpha, axis: 0 });
          const back = Float32Array.from(
            x,
            (_, i) => first.data[(i % columns) * 3 + Math.floor(i / columns)],
          );
          assert.deepEqual(back, last.data);
        }
    const x = randomTensor([90, 1000], 3, 4);
    const { data } = entmax(attention, x);
    assert.deepEqual(entmax(two, x).data, data);
    assert.deepEqual((await entmaxAsync(two, x)).data, data);
    two.dispose();
  });

  test(`what is published, what is left out, and what is not finite, ${variant}`, async () => {
    const attention = await engine(variant);
    const of = (values: number[], alpha: number) => [
      ...entmax(attention, tensor(Float32Array.from(values), [values.length]), { alpha }).data,
    ];
    // The README of deep-spin/entmax.
    assert.deepEqual(of([-2, 0, 0.5], 2), [0, 0.25, 0.75]);
    assert.deepEqual(
      of([-2, 0, 0.5], 1.5).map((p) => Math.round(p * 1e4) / 1e4),
      [0, 0.326, 0.674],
    );
    assert.deepEqual(of([-Infinity, -Infinity], 1.5), [0, 0]);
    assert.deepEqual(of([-Infinity, 3, -Infinity], 1.25), [0, 1, 0]);
    for (const alpha of alphas) {
      assert.ok(of([1, NaN, 2], alpha).every(Number.isNaN));
      assert.ok(of([1, Infinity, 2], alpha).every(Number.isNaN));
      assert.deepEqual(of([1e30, -1e30, 0], alpha), [1, 0, 0]);
      const same = of([7, 7, 7, 7], alpha);
      assert.ok(same.every((p) => Math.abs(p - 0.25) < 1e-6));
    }
    assert.deepEqual(entmax(attention, tensor(new Float32Array(0), [0, 5])).dims, [0, 5]);
    assert.deepEqual(entmax(attention, tensor(new Float32Array(0), [5, 0])).dims, [5, 0]);
  });

  test(`gradients of x and of α are those of differences, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const alpha of [1.25, 1.5, 2, 3]) {
      const x = randomTensor([4, 9], 5, 1);
      const dy = randomTensor([4, 9], 6);
      const p = entmax(attention, x, { alpha });
      const got = entmaxBackward(attention, dy, p, { alpha });
      const exact = Float64Array.from(x.data);
      const loss = (power = alpha) => {
        let sum = 0;
        for (let i = 0; i < 4; i++)
          entmaxRow(Array.from(exact.subarray(9 * i, 9 * i + 9)), power).forEach((q, j) => {
            sum += q * dy.data[9 * i + j];
          });
        return sum;
      };
      const step = 1e-6;
      for (let i = 0; i < 36; i++) {
        const kept = exact[i];
        exact[i] = kept + step;
        const above = loss();
        exact[i] = kept - step;
        const want = (above - loss()) / (2 * step);
        exact[i] = kept;
        assert.ok(Math.abs(got.inputGradient.data[i] - want) < 1e-5, `${alpha}, ${i}`);
      }
      const want = (loss(alpha + step) - loss(alpha - step)) / (2 * step);
      assert.ok(
        Math.abs(got.alphaGradient - want) < 2e-4,
        `α ${alpha}: ${got.alphaGradient}, ${want}`,
      );
      const later = await entmaxBackwardAsync(attention, dy, p, { alpha });
      assert.deepEqual(later, got);
    }
    const other = (at: Tensor) => bitsOf({ at });
    const x = randomTensor([3, 200, 4], 8, 3);
    const p = entmax(attention, x, { axis: 1 });
    const out = x.data.slice();
    const { inputGradient } = entmaxBackward(attention, x, p, { axis: 1, out });
    assert.equal(inputGradient.data, out);
    assert.deepEqual(
      other(inputGradient),
      other(entmaxBackward(attention, x, p, { axis: 1 }).inputGradient),
    );
  });
}
