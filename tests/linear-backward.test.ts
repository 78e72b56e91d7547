// linearBackward against float64 at every kind of edge, in both orders; prepared weights updated in
// place.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { engine, randomArray, variants } from "./engines";
import { linear, shareOfTolerance } from "./reference";

const rowCounts = [0, 1, 3, 4, 5, 63, 65, 130, 300];
const inputs = [1, 2, 7, 8, 9, 31, 65, 257];
const outputs = [1, 3, 8, 9, 31, 260];

/** [rows, columns] → [columns, rows]. */
const turned = (data: Float32Array, rows: number, columns: number) =>
  Float32Array.from(data, (_, k) => data[(k % rows) * columns + Math.floor(k / rows)]);

for (const variant of variants) {
  test(`linearBackward at every edge, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    let worst = 0;
    for (const ins of inputs)
      for (const outs of outputs) {
        const weight = randomArray(ins * outs, ins + outs);
        const bias = outs % 2 ? randomArray(outs, 5) : undefined;
        const inOut = attention.prepareLinear(tensor(weight, [ins, outs]), {
          order: "in,out",
          bias,
        });
        const outIn = attention.prepareLinear(tensor(turned(weight, ins, outs), [outs, ins]), {
          order: "out,in",
          bias,
        });
        for (const rows of rowCounts) {
          const x = randomArray(rows * ins, rows + 1);
          const dy = randomArray(rows * outs, rows + 2);
          const got = attention.linearBackward(
            tensor(dy, [rows, outs]),
            tensor(x, [rows, ins]),
            inOut,
          );
          assert.deepEqual(got.inputGradient?.dims, [rows, ins]);
          assert.deepEqual(got.weightGradient.dims, [ins, outs]);
          assert.deepEqual(got.biasGradient?.dims, bias && [outs]);
          const other = attention.linearBackward(
            tensor(dy, [1, rows, outs]),
            tensor(x, [1, rows, ins]),
            outIn,
          );
          assert.deepEqual(other.inputGradient?.dims, [1, rows, ins]);
          assert.deepEqual(other.inputGradient?.data, got.inputGradient?.data);
          assert.deepEqual(other.weightGradient.dims, [outs, ins]);
          const ones = new Float32Array(rows).fill(1);
          const [forX, xT] = [turned(weight, ins, outs), turned(x, rows, ins)];
          const results = [
            [got.inputGradient?.data, dy, forX, rows, outs, ins],
            [got.weightGradient.data, xT, dy, ins, rows, outs],
            [turned(other.weightGradient.data, outs, ins), xT, dy, ins, rows, outs],
            ...(bias ? [[got.biasGradient?.data, ones, dy, 1, rows, outs] as const] : []),
          ] as const;
          for (const [data, a, b, m, k, n] of results) {
            assert.ok(data);
            const truth = linear(a, b, undefined, m, k, n);
            const naive = linear(a, b, undefined, m, k, n, Math.fround);
            worst = Math.max(worst, shareOfTolerance(data, truth, [naive]));
          }
        }
        inOut.dispose();
        outIn.dispose();
      }
    assert.ok(worst <= 1, `${worst} of the tolerance`);
    assert.equal(attention.memory.used, used);
  });

  test(`linearBackward writes and adds where it is told, ${variant}`, async () => {
    const attention = await engine(variant);
    const weight = tensor(randomArray(42, 1), [6, 7]);
    using prepared = attention.prepareLinear(weight, { order: "in,out", bias: randomArray(7, 2) });
    const [x, dy] = [tensor(randomArray(30, 3), [5, 6]), tensor(randomArray(35, 4), [5, 7])];
    const want = attention.linearBackward(dy, x, prepared);
    assert.ok(want.inputGradient && want.biasGradient);
    using input = attention.allocate([5, 6]);
    const out = { input, weight: new Float32Array(42), bias: tensor(new Float32Array(7), [7]) };
    const got = attention.linearBackward(dy, x, prepared, { out });
    assert.equal(got.inputGradient, input);
    assert.equal(got.weightGradient.data, out.weight);
    assert.deepEqual(input.data, want.inputGradient.data);
    assert.deepEqual(out.weight, want.weightGradient.data);
    assert.deepEqual(out.bias.data, want.biasGradient.data);
    attention.linearBackward(dy, x, prepared, { out, accumulate: true });
    assert.deepEqual(
      input.data,
      want.inputGradient.data.map((g) => 2 * g),
    );
    assert.deepEqual(
      out.weight,
      want.weightGradient.data.map((g) => 2 * g),
    );
    assert.deepEqual(
      out.bias.data,
      want.biasGradient.data.map((g) => 2 * g),
    );
    const without = attention.linearBackward(dy, x, prepared, { gradients: { input: false } });
    assert.equal(without.inputGradient, undefined);
    assert.deepEqual(without.weightGradient, want.weightGradient);
  });

  test(`a prepared weight is updated in place, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = tensor(randomArray(30, 3), [5, 6]);
    for (const order of ["in,out", "out,in"] as const) {
      const dims = order === "in,out" ? [6, 7] : [7, 6];
      const [a, b] = [1, 2].map((seed) => tensor(randomArray(42, seed), dims));
      const [p, q] = [3, 4].map((seed) => randomArray(7, seed));
      using first = attention.prepareLinear(a, { order, bias: p });
      using second = attention.prepareLinear(b, { order, bias: q });
      const { used, reserved } = attention.memory;
      first.update(b, q);
      assert.deepEqual(attention.linear(x, first), attention.linear(x, second));
      assert.equal(attention.memory.used, used);
      assert.equal(attention.memory.reserved, reserved);
    }
  });
}
