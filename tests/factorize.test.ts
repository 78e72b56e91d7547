// Weights as products of low rank: singular values that are known, and products by both factors.

import assert from "node:assert/strict";
import { test } from "node:test";
import { linear, prepareLinear, tensor } from "wasm-attention";
import { factorize, lowRankLinear, lowRankLinearAsync } from "wasm-attention/compress";
import { dequantize, prepareQuantized } from "wasm-attention/quantized";
import { engine, randomArray, randomTensor } from "./engines";

/** A matrix of known singular values: orthonormal columns by Householder reflections. */
function known(rows: number, columns: number, values: readonly number[], seed: number) {
  const basis = (size: number, of: number) => {
    const v = Array.from(randomArray(size, of));
    const square = v.reduce((sum, x) => sum + x * x, 0);
    return (i: number, k: number) =>
      (i === k ? 1 : 0) - (2 * (v[i] as number) * (v[k] as number)) / square;
  };
  const [u, v] = [basis(rows, seed), basis(columns, seed + 1)];
  const data = new Float64Array(rows * columns);
  for (const [k, value] of values.entries()) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        data[i * columns + j] = (data[i * columns + j] as number) + value * u(i, k) * v(j, k);
      }
    }
  }
  return data;
}

test("factorize finds the singular values, and the nearest matrix of its rank", () => {
  for (const [rows, columns, rank] of [
    [40, 25, 6],
    [25, 40, 6],
    [64, 64, 20],
    [9, 30, 9],
    [30, 1, 1],
    [1, 1, 1],
  ] as const) {
    const count = Math.min(rows, columns);
    const values = Array.from({ length: count }, (_, k) => 3 * 0.8 ** k);
    const data = known(rows, columns, values, rows + columns);
    const { left, right, singularValues, error } = factorize(
      tensor(Float32Array.from(data), [rows, columns]),
      rank,
    );
    assert.deepEqual(
      [left.dims, right.dims],
      [
        [rows, rank],
        [rank, columns],
      ],
    );
    let square = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < rank; k++) {
          sum += (left.data[i * rank + k] as number) * (right.data[k * columns + j] as number);
        }
        square += (sum - (data[i * columns + j] as number)) ** 2;
      }
    }
    for (let k = 0; k < rank; k++) {
      const share = Math.abs((singularValues[k] as number) / (values[k] as number) - 1);
      assert.ok(share < 1e-5, `${rows} by ${columns}: ${singularValues[k]} for ${values[k]}`);
    }
    // Eckart and Young: no matrix of this rank is nearer.
    const norm = (from: number) => Math.sqrt(values.slice(from).reduce((sum, x) => sum + x * x, 0));
    const least = norm(rank) / norm(0);
    const got = Math.sqrt(square) / norm(0);
    assert.ok(got <= least * (1 + 1e-4) + 1e-6, `${rows} by ${columns}: ${got} for ${least}`);
    assert.ok(Math.abs(error - got) <= 1e-6 + 1e-4 * got, `${error} for ${got}`);
  }
});

test("factorize of matrices with little in them", () => {
  const zeros = factorize(tensor(new Float32Array(20), [4, 5]), 2);
  assert.equal(zeros.error, 0);
  assert.ok([...zeros.left.data, ...zeros.right.data].every((value) => value === 0));
  // Of rank 1, asked for 3.
  const one = Float32Array.from({ length: 60 }, (_, i) => (1 + (i % 10)) * 2 ** Math.floor(i / 10));
  const { error, singularValues } = factorize(tensor(one, [6, 10]), 3);
  assert.ok(error < 1e-7 && (singularValues[1] as number) < 1e-5, `${error}, ${singularValues}`);
  for (const scale of [1e-38, 1e38]) {
    const large = factorize(tensor(randomArray(35, 1, scale), [5, 7]), 5);
    assert.ok(large.error < 1e-6, `${large.error}`);
  }
  const given = randomTensor([12, 14], 2);
  assert.deepEqual(factorize(given, 3), factorize(given, 3, { seed: 0 }));
  const other = factorize(given, 3, { seed: 2 ** 40 }).singularValues;
  assert.notDeepEqual(other, new Float32Array(3));
});

test("a product of two factors", async () => {
  using attention = await engine("portable");
  const weight = randomTensor([24, 31], 3);
  const { left, right } = factorize(weight, 24);
  const bias = randomArray(24, 4);
  const x = randomTensor([2, 5, 31], 5);
  using first = prepareLinear(attention, right, { order: "out,in" });
  using second = prepareLinear(attention, left, { order: "out,in", bias });
  using whole = prepareLinear(attention, weight, { order: "out,in", bias });
  const want = linear(attention, x, whole);
  const got = lowRankLinear(attention, x, first, second);
  assert.deepEqual(got.dims, want.dims);
  for (const [i, value] of want.data.entries()) {
    assert.ok(Math.abs((got.data[i] as number) - value) < 2e-5, `${got.data[i]} for ${value}`);
  }
  const out = new Float32Array(want.data.length);
  lowRankLinear(attention, x, first, second, { out });
  assert.deepEqual(out, got.data);
  assert.deepEqual(await lowRankLinearAsync(attention, x, first, second), got);
  // With factors of few bits.
  using few = prepareQuantized(attention, right, { numbers: "int8", order: "out,in" });
  const between = linear(attention, x, few);
  assert.deepEqual(lowRankLinear(attention, x, few, second), linear(attention, between, second));
  assert.ok(dequantize(attention, few).dims[0] === 24);
});
