// What may lie behind a tensor's data, besides an array of its own.

import fc from "fast-check";
import type { AllocatedTensor, Tensor } from "wasm-attention";
import type { Whole } from "../engines";

/** Resizable buffers are newer than the types this package is compiled with. */
export type Resizable = ArrayBuffer & { resize(bytes: number): void };
export const Resizable = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => Resizable;
const Growable = SharedArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => SharedArrayBuffer;

export const buffers = fc.constantFrom("own", "own", "tracking", "part", "growable", "view");
export type Buffers = typeof buffers extends fc.Arbitrary<infer T> ? T : never;

/** An array of `length` elements in a buffer of that kind; a "view" needs a tensor, see below. */
export function arrayIn(kind: Buffers, length: number): Float32Array {
  const bytes = length * 4;
  const options = { maxByteLength: 2 * bytes + 64 };
  if (kind === "tracking") return new Float32Array(new Resizable(bytes, options));
  if (kind === "part") return new Float32Array(new Resizable(bytes + 32, options), 16, length);
  if (kind === "growable") return new Float32Array(new Growable(bytes, options)) as Float32Array;
  return new Float32Array(length);
}

/** A copy of `data` in a buffer of that kind, and what has to be disposed afterwards. */
export function tensorIn(
  kind: Buffers,
  attention: Whole,
  data: Float32Array,
  dims: number[],
): [tensor: Tensor, whole?: AllocatedTensor] {
  if (kind !== "view") {
    const copy = arrayIn(kind, data.length);
    copy.set(data);
    return [{ data: copy, dims }];
  }
  const from = 5;
  const whole = attention.allocate([data.length + 2 * from]);
  whole.data.fill(NaN);
  whole.data.set(data, from);
  // Taken anew whenever it is asked for: growth detaches views.
  const view = {
    get data() {
      return whole.data.subarray(from, from + data.length);
    },
    dims,
  };
  return [view, whole];
}
