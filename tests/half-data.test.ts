// Float16Arrays, where the engine has them: in every argument, and as an out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import { attendBackward } from "wasm-attention/training";
import { engine } from "./engines";
import { type Makes, operations, plain } from "./operations";

type Half = new (list: ArrayLike<number> | ArrayBufferLike) => Float32Array;
const { Float16Array } = globalThis as unknown as { Float16Array?: Half };
const skip = Float16Array ? false : "no Float16Array in this engine; tests/runtimes has one";
const Half = Float16Array as Half;

/** The same numbers in float32, each one that a half float holds. */
const rounded: Makes = { ...plain, floats: (list) => Float32Array.from(new Half(list)) };
const halves: Makes = { ...plain, floats: (list) => new Half(list) };

for (const [name, call] of Object.entries(operations)) {
  test(`${name}: half floats are what they hold`, { skip }, async () => {
    const attention = await engine("portable");
    const want = call(attention, rounded);
    const got = call(attention, halves);
    for (const [index, { data }] of got.entries()) {
      const half = data instanceof Half;
      const wanted = (want[index] as Tensor).data;
      assert.deepEqual([...data], [...(half ? new Half(wanted) : wanted)], `result ${index}`);
    }
  });
}

test("an out of half floats is rounded once, and added to", { skip }, async () => {
  const attention = await engine("portable");
  const dims = [3, 4];
  const x = tensor(new Half(Array.from({ length: 12 }, (_, i) => Math.sin(i))), dims);
  const want = attention.attend(x, x, x).output.data;
  const out = tensor(new Half(new ArrayBuffer(24)), dims);
  assert.equal(attention.attend(x, x, x, { out }).output.data, out.data);
  assert.deepEqual([...out.data], [...new Half(want)]);
  const state = attention.attend(x, x, x, { logSumExp: true });
  const { keyGradient } = attendBackward(attention, {
    ...state,
    query: x,
    key: x,
    value: x,
    outputGradient: x,
  });
  const key = new Half(Array.from({ length: 12 }, () => 1));
  attendBackward(
    attention,
    { ...state, query: x, key: x, value: x, outputGradient: x },
    { out: { key }, accumulate: true },
  );
  assert.deepEqual([...key], [...new Half(keyGradient.data.map((g) => 1 + g))]);
  using allocated = attention.allocate([24]);
  const over = new Half(allocated.data.buffer).subarray(0, 12);
  assert.throws(() => attention.attend(x, x, tensor(over, dims)), { argument: "value" });
  await attention.attendAsync(x, x, x, { out: out.data });
});
