// linear against float64 at every kind of edge, in both orders, in place and copied.

import assert from "node:assert/strict";
import { test } from "node:test";
import { linear, prepareLinear, tensor } from "wasm-attention";
import { engine, randomArray, variants } from "./engines";
import { shareOfTolerance } from "./reference";
import { linear as product } from "./reference-linear";

const rowCounts = [1, 3, 4, 5, 67, 127, 128, 129];
const depths = [1, 2, 7, 8, 31, 255, 256, 257, 600];
const columnCounts = [1, 7, 8, 9, 31, 32, 33, 72];

for (const variant of variants) {
  test(`linear at every edge, ${variant}`, async () => {
    const attention = await engine(variant);
    const used = attention.memory.used;
    let worst = 0;
    for (const depth of depths)
      for (const columns of columnCounts) {
        const weight = randomArray(depth * columns, depth + columns);
        const bias = columns % 2 ? randomArray(columns, 5) : undefined;
        const stored = tensor(weight, [depth, columns]);
        const turned = Float32Array.from(
          weight,
          (_, k) => weight[(k % depth) * columns + Math.floor(k / depth)],
        );
        const inOut = prepareLinear(attention, stored, { order: "in,out", bias });
        const outIn = prepareLinear(attention, tensor(turned, [columns, depth]), {
          order: "out,in",
          bias: bias && tensor(bias, [columns]),
        });
        assert.equal(inOut.inputSize, depth);
        assert.equal(inOut.outputSize, columns);
        for (const rows of rowCounts) {
          const x = randomArray(rows * depth, rows);
          const got = linear(attention, tensor(x, [rows, depth]), inOut);
          assert.deepEqual(got.dims, [rows, columns]);
          assert.deepEqual(linear(attention, tensor(x, [1, rows, depth]), outIn).data, got.data);
          const truth = product(x, weight, bias, rows, depth, columns);
          const naive = product(x, weight, bias, rows, depth, columns, Math.fround);
          worst = Math.max(worst, shareOfTolerance(got.data, truth, [naive]));
        }
        inOut.dispose();
        outIn.dispose();
        outIn.dispose();
      }
    assert.ok(worst <= 1, `${worst} of the tolerance`);
    assert.equal(attention.memory.used, used);
  });

  test(`linear writes where it is told, over its own input too, ${variant}`, async () => {
    const attention = await engine(variant);
    const weight = prepareLinear(attention, tensor(randomArray(36, 1), [6, 6]), {
      order: "in,out",
    });
    const x = randomArray(30, 2);
    const want = linear(attention, tensor(x, [5, 6]), weight).data;
    const out = new Float32Array(30);
    assert.equal(linear(attention, tensor(x, [5, 6]), weight, { out }).data, out);
    assert.deepEqual(out, want);
    const allocated = attention.allocate([5, 6]);
    allocated.data.set(x);
    assert.equal(linear(attention, allocated, weight, { out: allocated }), allocated);
    assert.deepEqual(allocated.data, want);
    const none = linear(attention, tensor(new Float32Array(0), [0, 6]), weight);
    assert.deepEqual([none.data.length, none.dims], [0, [0, 6]]);
  });
}

for (const variant of variants) {
  test(`a row's bytes do not depend on the rows beside it or on threads, ${variant}`, async () => {
    for (const threads of [1, 2]) {
      using attention = await engine(variant, { threads });
      // Wide and deep enough to be shared, and for a row alone to take several panels at once.
      const [depth, columns] = [600, 1700];
      const weight = tensor(randomArray(depth * columns, 1), [depth, columns]);
      using prepared = prepareLinear(attention, weight, { order: "in,out" });
      const x = randomArray(65 * depth, 2);
      const whole = linear(attention, tensor(x, [65, depth]), prepared).data;
      for (const row of [0, 1, 63, 64]) {
        const alone = tensor(x.slice(row * depth, (row + 1) * depth), [1, depth]);
        assert.deepEqual(
          linear(attention, alone, prepared).data,
          whole.slice(row * columns, (row + 1) * columns),
        );
      }
    }
  });
}

for (const variant of variants) {
  test(`every part of a wide result begins with its own bias, ${variant}`, async () => {
    for (const threads of [1, 2]) {
      using attention = await engine(variant, { threads });
      const [depth, columns, rows] = [600, 1700, 65];
      const bias = randomArray(columns, 3);
      const weight = tensor(randomArray(depth * columns, 1), [depth, columns]);
      using prepared = prepareLinear(attention, weight, { order: "in,out", bias });
      const { data } = linear(
        attention,
        tensor(new Float32Array(rows * depth), [rows, depth]),
        prepared,
      );
      for (let row = 0; row < rows; row++)
        assert.deepEqual(data.slice(row * columns, (row + 1) * columns), bias);
    }
  });
}
