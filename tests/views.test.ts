// Views of allocated tensors: read and written in place, and refused once their memory is given back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DisposedError, linear, prepareLinear, type Tensor, tensor } from "wasm-attention";
import { engine, randomArray, type Whole } from "./engines";

const dims = [8, 300, 64];
const elements = 8 * 300 * 64;
const data = randomArray(elements, 1);

const kinds: Record<string, (attention: Whole, numbers: Float32Array) => Tensor> = {
  "a subarray": (attention, numbers) => {
    const all = attention.allocate([elements + 10]);
    const part = all.data.subarray(5, 5 + elements);
    part.set(numbers);
    return tensor(part, dims);
  },
  "a view": (attention, numbers) => {
    const part = attention.allocate([elements + 10]).view(5, dims);
    part.data.set(numbers);
    return part;
  },
  "a view of a view": (attention, numbers) => {
    const part = attention
      .allocate([elements + 10])
      .view(2, [elements + 5])
      .view(3, dims);
    part.data.set(numbers);
    return part;
  },
};

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind} takes no room besides its own`, async () => {
    const x = tensor(data, dims);
    const want = (await engine("portable")).attend(x, x, x).output.data;
    // Four of them fit, and scratch, but no copies.
    const attention = await engine("portable", {
      initialMemory: 3 * 2 ** 20,
      maximumMemory: 3 * 2 ** 20,
    });
    const places = [1, 2, 3].map(() => make(attention, data)) as [Tensor, Tensor, Tensor];
    const target = make(attention, new Float32Array(elements));
    const { output } = attention.attend(...places, { out: target });
    assert.deepEqual(output.data, want);
    assert.deepEqual(target.data, want);
    for (const place of places) assert.deepEqual(place.data, data);
  });
}

test("an allocated out is written in place whatever the inputs' sizes", async () => {
  // 1 MB of input and as much of output, but not twice.
  const attention = await engine("portable", { maximumMemory: 2.5 * 2 ** 20 });
  const [rows, size] = [1 << 14, 16];
  const x = tensor(randomArray(rows * size, 1), [rows, size]);
  using weight = prepareLinear(attention, tensor(randomArray(256, 2), [16, 16]), {
    order: "in,out",
  });
  using out = attention.allocate([rows, size]);
  assert.equal(linear(attention, x, weight, { out }), out);
});

test("a view ends with its tensor", async () => {
  const attention = await engine("portable");
  const x = tensor(randomArray(16, 1), [4, 4]);
  const allocated = attention.allocate([32]);
  const [view, raw] = [allocated.view(4, [4, 4]), tensor(allocated.data.subarray(4, 20), [4, 4])];
  view.dispose();
  assert.equal(allocated.data.length, 32);
  assert.throws(() => view.data, DisposedError);
  assert.throws(() => attention.attend(view, x, x), DisposedError);
  const again = allocated.view(4, [4, 4]);
  allocated.dispose();
  for (const gone of [again, raw]) {
    assert.throws(() => attention.attend(x, gone, x), { name: "DisposedError", argument: "key" });
    assert.throws(() => attention.attend(x, x, x, { out: gone }), {
      name: "DisposedError",
      argument: "out",
    });
  }
  assert.throws(() => allocated.view(0, [1]), {
    message: /^view: "tensor" expected a tensor in use/,
  });
});

test("a view lies inside its tensor", async () => {
  const attention = await engine("portable");
  using allocated = attention.allocate([2, 5]);
  allocated.data.set(Float32Array.from({ length: 10 }, (_, index) => index));
  assert.deepEqual([...allocated.view(7, [3]).data], [7, 8, 9]);
  assert.deepEqual(allocated.view(10, [0]).dims, [0]);
  const refused: [string, number, number[]][] = [
    ['view: "offset" expected an integer from 0 to 7, got 8', 8, [3]],
    ['view: "offset" expected an integer from 0 to 7, got -1', -1, [3]],
    ['view: "offset" expected an integer from 0 to 7, got 0.5', 0.5, [3]],
    ['view: "dims" expected at most 10 elements, got [11]', 0, [11]],
  ];
  for (const [message, offset, of] of refused)
    assert.throws(() => allocated.view(offset, of), { message });
});

test("an out of a call that a scoreMod ends is not written, wherever it lies", async () => {
  const attention = await engine("portable");
  const x = tensor(randomArray(16, 1), [4, 4]);
  using allocated = attention.allocate([4, 4]);
  allocated.data.fill(3);
  const scoreMod = () => {
    throw new Error("mine");
  };
  for (const out of [allocated, allocated.view(0, [4, 4]), tensor(allocated.data, [4, 4])]) {
    assert.throws(() => attention.attend(x, x, x, { out, scoreMod }), /mine/);
    assert.ok(allocated.data.every((number) => number === 3));
  }
});
