// The explorer's difference of two settings: of rows of the same words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { differenceOf } from "../examples/explore/difference";

const maps = (rows: readonly string[], numbers: readonly number[]) => ({
  weights: [tensor(Float32Array.from(numbers), [2, rows.length, 2])],
  rows,
  columns: ["a", "b"],
});

test("the difference of two settings, as far as they wrote the same words", () => {
  const first = maps(["x", "y", "z"], [1, 0, 0.5, 0.5, 0, 1, 0, 1, 0.25, 0.75, 1, 0]);
  const second = maps(["x", "y"], [0.5, 0.5, 0.5, 0.5, 1, 0, 0.25, 0.75]);
  const found = differenceOf(first, second);
  assert.ok(found);
  assert.deepEqual(found.rows, ["x", "y"]);
  assert.deepEqual(found.columns, ["a", "b"]);
  const [{ data, dims }] = found.weights as { data: Float32Array; dims: number[] }[];
  assert.deepEqual([...data], [0.5, 0.5, 0, 0, 1, 1, 0, 0]);
  assert.deepEqual(dims, [2, 2, 2]);
  assert.deepEqual(differenceOf(second, first)?.rows, ["x", "y"]);
  assert.equal(differenceOf(maps(["x"], [1, 0, 1, 0]), maps(["y"], [1, 0, 1, 0])), undefined);
});
