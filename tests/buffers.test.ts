// What may lie behind a Float32Array: a view at an odd offset, shared memory, a buffer that can be
// resized, one that is gone, and the very data of another argument.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ArgumentError,
  attendPacked,
  DisposedError,
  linear,
  mergeStates,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { activate, layerNorm, softmax } from "wasm-attention/blocks";
import { rotate } from "wasm-attention/positions";
import { attendBackward, linearBackward } from "wasm-attention/training";
import { engine, randomArray, type Whole } from "./engines";

const dims = [2, 3, 4];
const data = randomArray(24, 1);
const state = (output: Tensor) => ({ output, logSumExp: tensor(new Float32Array(6), [2, 3]) });

/** Each function of tensors, as one from a tensor [2, 3, 4] to one of the same dims. */
const functions: Record<string, (a: Whole, x: Tensor, out?: Float32Array | Tensor) => Tensor> = {
  attend: (a, x, out) => a.attend(x, x, x, { out }).output,
  attendPacked: (a, x, out) =>
    attendPacked(a, x, x, x, { cumulativeQueries: [0, 1, 2], out }).output,
  mergeStates: (a, x, out) => mergeStates(a, [state(x), state(x)], { out }).output,
  layerNorm: (a, x, out) => layerNorm(a, x, { residual: x, out }).output,
  softmax: (a, x, out) => softmax(a, x, { axis: 1, out }),
  activate: (a, x, out) => activate(a, x, "gelu", { gate: x, out }),
  rotate: (a, x, out) => rotate(a, x, { positions: 3, out }),
  attendBackward: (a, x, out) =>
    attendBackward(
      a,
      { ...state(x), query: x, key: x, value: x, outputGradient: x },
      { out: { key: out } },
    ).keyGradient,
  linearBackward: (a, x, out) => {
    using weight = prepareLinear(a, tensor(randomArray(16, 2), [4, 4]), { order: "in,out" });
    return linearBackward(a, x, x, weight, { out: { input: out } }).inputGradient as Tensor;
  },
  linear: (a, x, out) => {
    using weight = prepareLinear(a, tensor(randomArray(16, 2), [4, 4]), { order: "in,out" });
    return linear(a, x, weight, { out });
  },
};

/** Resizable buffers are newer than the types this package is compiled with. */
type Resizable = ArrayBuffer & { resize(bytes: number): void };
const Resizable = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => Resizable;

for (const [name, call] of Object.entries(functions)) {
  test(`${name} reads and writes any kind of buffer`, async () => {
    const attention = await engine("portable");
    const { used } = attention.memory;
    const want = call(attention, tensor(data, dims)).data;
    const views: [string, () => Float32Array][] = [
      ["an odd offset", () => new Float32Array(40).subarray(3, 27)],
      ["shared memory", () => new Float32Array(new SharedArrayBuffer(96)) as Float32Array],
      ["a resizable buffer", () => new Float32Array(new Resizable(96, { maxByteLength: 400 }))],
      [
        "part of a resizable buffer",
        () => new Float32Array(new Resizable(400, { maxByteLength: 400 }), 4, 24),
      ],
    ];
    for (const [kind, make] of views) {
      const view = make();
      view.set(data);
      assert.deepEqual(call(attention, tensor(view, dims)).data, want, kind);
      assert.deepEqual([...view], [...data], "inputs are not written");
      const out = make();
      assert.equal(call(attention, tensor(data, dims), out).data, out);
      assert.deepEqual([...out], [...want], kind);
      assert.equal(call(attention, tensor(view, dims), view).data, view, "out is the input");
      assert.deepEqual([...view], [...want], kind);
    }
    // An out that overlaps the input in part.
    const both = new Float32Array(30);
    both.set(data, 0);
    call(attention, tensor(both.subarray(0, 24), dims), both.subarray(5, 29));
    assert.deepEqual([...both.subarray(5, 29)], [...want]);
    assert.equal(attention.memory.used, used);
  });

  test(`${name} refuses buffers that are gone, and tensors`, async () => {
    const attention = await engine("portable");
    const { used } = attention.memory;
    const detached = new Float32Array(data);
    const x = tensor(detached, dims);
    structuredClone(detached, { transfer: [detached.buffer] });
    const shrunk = new Resizable(96, { maxByteLength: 96 });
    const y = tensor(new Float32Array(shrunk), dims);
    shrunk.resize(40);
    for (const gone of [x, y]) {
      assert.throws(() => call(attention, gone), ArgumentError);
      assert.throws(() => call(attention, tensor(data, dims), gone.data), {
        argument: /^out(\.key|\.input)?$/,
      });
    }
    const disposed = attention.allocate(dims);
    disposed.dispose();
    assert.throws(() => call(attention, disposed), DisposedError);
    assert.throws(() => call(attention, tensor(data, dims), disposed), DisposedError);
    assert.equal(attention.memory.used, used);
  });

  test(`${name} takes the tensors of another engine as plain ones`, async () => {
    const [attention, other] = [await engine("portable"), await engine("portable")];
    const want = call(attention, tensor(data, dims)).data;
    const foreign = other.allocate(dims);
    foreign.data.set(data);
    const out = other.allocate(dims);
    assert.deepEqual(call(attention, foreign, out).data, want);
    assert.deepEqual(out.data, want);
    other.dispose();
    assert.throws(() => call(attention, foreign), DisposedError);
  });
}

test("scoreMod may take the out away; the call says so and the next is right", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  const x = tensor(data, dims);
  const out = new Float32Array(24);
  const scoreMod = () => {
    if (out.length) structuredClone(out, { transfer: [out.buffer] });
  };
  assert.throws(() => attention.attend(x, x, x, { out, scoreMod }), {
    message:
      'attend: "out" expected 24 elements until the call ends, got 0 (detached: take .data anew)',
  });
  const allocated = attention.allocate(dims);
  const dispose = () => allocated.dispose();
  assert.throws(
    () => attention.attend(x, x, x, { out: allocated, scoreMod: dispose }),
    DisposedError,
  );
  assert.equal(attention.memory.used, used);
  assert.equal(attention.attend(x, x, x).output.data.length, 24);
});
