// Tensors of TensorFlow.js as ours, and how far two of them are apart.

import assert from "node:assert/strict";
import type { Tensor as TensorflowTensor } from "@tensorflow/tfjs-core";
import { type Tensor, tensor } from "wasm-attention";

export function ours(x: TensorflowTensor): Tensor {
  return tensor(x.dataSync<"float32">().slice(), x.shape);
}

type Values = TensorflowTensor | ArrayLike<number>;

const valuesOf = (x: Values): ArrayLike<number> =>
  "dataSync" in x ? (x.dataSync() as ArrayLike<number>) : x;

/** Fails unless the largest difference is at most `bound` of the largest expected element. */
export function close(got: Values, expected: Values, bound: number, what = "difference"): void {
  const [a, b] = [valuesOf(got), valuesOf(expected)];
  if ("shape" in got && "shape" in expected) assert.deepEqual(got.shape, expected.shape, what);
  assert.equal(a.length, b.length, what);
  let [worst, largest] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    assert.ok(Number.isFinite(a[i]), `${what}: ${a[i]}`);
    worst = Math.max(worst, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(b[i]));
  }
  assert.ok(worst <= bound * largest, `${what}: ${worst} of ${largest}`);
}
