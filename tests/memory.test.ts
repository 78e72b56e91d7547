// Linear memory: true figures, no copies where none are due, growth in the middle of things,
// exhaustion, and nothing left behind.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AllocatedTensor,
  linear,
  MemoryError,
  MultiHeadAttention,
  mergeStates,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { rotate } from "wasm-attention/positions";
import { type AttendState, attendBackward } from "wasm-attention/training";
import { Arena } from "../src/memory/arena";
import { engine, random, randomArray, type Whole } from "./engines";

const MB = 2 ** 20;

test("a call on allocated tensors copies nothing and takes scratch only", async () => {
  const attention = await engine("portable");
  const dims = [1, 8, 64, 64];
  const [q, k, v, out] = [0, 1, 2, 3].map(() => attention.allocate(dims));
  for (const x of [q, k, v]) x.data.set(randomArray(8 * 64 * 64, 1));
  const plain = attention.attend(
    tensor(q.data.slice(), dims),
    tensor(k.data.slice(), dims),
    tensor(v.data.slice(), dims),
  );
  const fresh = await engine("portable", { initialMemory: 8 * MB });
  const copies = [q, k, v].map((x) => {
    const copy = fresh.allocate(dims);
    copy.data.set(x.data);
    return copy;
  });
  const result = fresh.allocate(dims);
  const before = fresh.memory;
  const got = fresh.attend(copies[0], copies[1], copies[2], { out: result });
  assert.equal(got.output, result, "the very tensor");
  assert.deepEqual(result.data, plain.output.data, "the same bits as from plain arrays");
  assert.deepEqual(fresh.memory, before);
  assert.equal(attention.attend(q, k, v, { out }).output, out);
  assert.deepEqual(out.data, plain.output.data);
});

const plainDims = [1, 8, 512, 64];
const square = tensor(randomArray(64 * 64, 2), [64, 64]);
const written: Record<string, (a: Whole, x: Tensor, out: AllocatedTensor) => unknown> = {
  attend: (a, x, out) => a.attend(x, x, x, { out }),
  rotate: (a, x, out) => rotate(a, x, { out }),
  linear: (a, x, out) => linear(a, x, prepareLinear(a, square, { order: "in,out" }), { out }),
  mergeStates: (a, x, out) => {
    const state = { output: x, logSumExp: tensor(new Float32Array(8 * 512), [1, 8, 512]) };
    return mergeStates(a, [state], { out });
  },
};

for (const [name, call] of Object.entries(written)) {
  test(`${name}: an allocated out is written in place, however long the plain inputs`, async () => {
    const plain = tensor(randomArray(8 * 512 * 64, 1), plainDims);
    const needed = async (where: "low" | "high") => {
      const attention = await engine("portable");
      // Low: below as many bytes as an input has.
      const below = where === "high" && attention.allocate(plainDims);
      const out = attention.allocate(plainDims);
      assert.equal(out.data.byteOffset > plain.data.byteLength, where === "high");
      call(attention, plain, out);
      return attention.memory.reserved - (below ? plain.data.byteLength : 0);
    };
    const [low, high] = [await needed("low"), await needed("high")];
    assert.ok(Math.abs(low - high) < MB / 4, `${low - high} bytes more`);
  });
}

test("an allocated tensor's data follows growth", async () => {
  const attention = await engine("portable");
  const allocated = attention.allocate([4]);
  allocated.data.set([1, 2, 3, 4]);
  const view = allocated.data;
  assert.equal(allocated.data, view, "the same view while memory stays");
  attention.allocate([MB]).dispose();
  assert.equal(view.length, 0, "growth detaches old views");
  assert.deepEqual([...allocated.data], [1, 2, 3, 4]);
});

test("views of linear memory survive the growth of the call they are given to", async () => {
  const attention = await engine("portable");
  const dims = [1, 1, 300, 8];
  const data = randomArray(2400, 3);
  const want = attention.attend(tensor(data, dims), tensor(data, dims), tensor(data, dims)).output
    .data;
  const growing = await engine("portable");
  const allocated = growing.allocate(dims);
  allocated.data.set(data);
  const view = allocated.data;
  const { reserved } = growing.memory;
  const bare = { data: view, dims };
  const into = growing.allocate(dims);
  const got = growing.attend(bare, bare, bare, { out: into.data });
  assert.ok(growing.memory.reserved > reserved, "the call had to grow");
  assert.deepEqual(got.output.data, want);
  assert.deepEqual(into.data, want);
});

test("out may overlap any input, allocated or not", async () => {
  const attention = await engine("portable");
  const dims = [2, 2, 70, 16];
  const data = [1, 2, 3].map((seed) => randomArray(2 * 2 * 70 * 16, seed));
  const [x, y, z] = data.map((d) => tensor(d, dims));
  const want = attention.attend(x, y, z).output.data;
  for (let target = 0; target < 3; target++) {
    const inputs = data.map((d) => {
      const made = attention.allocate(dims);
      made.data.set(d);
      return made;
    });
    attention.attend(inputs[0], inputs[1], inputs[2], { out: inputs[target] });
    assert.deepEqual(inputs[target].data, want);
    const plain = data.map((d) => tensor(d.slice(), dims));
    attention.attend(plain[0], plain[1], plain[2], { out: plain[target] });
    assert.deepEqual(plain[target].data, want);
  }
});

test("one head at n = 16,384 needs less than 24 MB beside its tensors", async () => {
  const n = 16384;
  for (const variant of ["portable", "relaxed"] as const) {
    const attention = await engine(variant);
    const x = tensor(randomArray(n * 64, 5), [1, 1, n, 64]);
    attention.attend(x, x, x);
    const beside = attention.memory.reserved - 4 * n * 64 * 4;
    assert.ok(beside < 24 * MB, `${variant}: ${beside / MB} MB`);
  }
});

test("backward, one head at n = 16,384 needs at most 32 MB beside its tensors", async () => {
  const n = 16384;
  const attention = await engine("relaxed");
  const x = tensor(randomArray(n * 64, 5), [1, 1, n, 64]);
  const window = { left: 100, right: 100 };
  const state = attention.attend(x, x, x, { logSumExp: true, window }) as AttendState;
  attendBackward(
    attention,
    { ...state, query: x, key: x, value: x, outputGradient: x },
    { window },
  );
  // Query, key, value, output, four gradients, and logSumExp.
  const beside = attention.memory.reserved - 8 * n * 64 * 4 - n * 4;
  assert.ok(beside < 32 * MB, `${beside / MB} MB`);
});

test("exhausted memory is a MemoryError that names what was asked; a smaller call works", async () => {
  const attention = await engine("portable", { maximumMemory: 4 * MB });
  assert.equal(attention.memory.maximum, 4 * MB);
  const small = tensor(randomArray(64, 1), [1, 1, 8, 8]);
  const want = attention.attend(small, small, small).output.data;
  const { used } = attention.memory;
  const large = tensor(new Float32Array(MB), [1, 1, 16384, 64]);
  assert.throws(
    () => attention.attend(large, large, large),
    (error) => {
      assert.ok(error instanceof MemoryError);
      assert.equal(error.name, "MemoryError");
      assert.match(
        error.message,
        /^attend: "memory" expected \d{8,} bytes in one block, got \d+ bytes unused of a maximum of 4194304, \d+ reserved$/,
      );
      return true;
    },
  );
  assert.throws(() => attention.allocate([2 * MB]), MemoryError);
  assert.throws(() => attention.allocate([2 ** 30, 1]), MemoryError);
  assert.throws(
    () => prepareLinear(attention, tensor(new Float32Array(MB), [1024, 1024]), { order: "in,out" }),
    MemoryError,
  );
  const wide = { weight: tensor(new Float32Array(MB / 4), [512, 512]), order: "in,out" } as const;
  assert.throws(
    () =>
      new MultiHeadAttention(
        attention,
        { heads: 8 },
        { query: wide, key: wide, value: wide, output: wide },
      ),
    MemoryError,
  );
  assert.equal(attention.memory.used, used, "nothing stays allocated");
  assert.deepEqual(attention.attend(small, small, small).output.data, want);
});

test("weights are counted before they are asked for", async () => {
  const attention = await engine("portable", { maximumMemory: 16 * MB });
  const x = tensor(new Float32Array(4096), [1, 1, 4096, 1]);
  assert.throws(() => attention.attend(x, x, x, { weights: true }), MemoryError);
  assert.equal(attention.attend(x, x, x).output.data.length, 4096);
});

test("blocks coalesce: the whole of a fragmented arena can be taken again", () => {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16 });
  const arena = new Arena(memory, 1000, 16 * 65536);
  const next = random(11);
  const whole = 16 * 65536 - 1024;
  for (let round = 0; round < 200; round++) {
    const blocks: number[] = [];
    try {
      for (;;) blocks.push(arena.allocate("test", Math.floor((next() + 1) * 8000)));
    } catch (error) {
      assert.equal((error as Error).name, "MemoryError");
    }
    assert.ok(blocks.length > 50 && new Set(blocks).size === blocks.length);
    for (const address of blocks) assert.equal(address % 64, 0);
    blocks.sort(() => next());
    for (const address of blocks) arena.release(address);
    assert.equal(arena.used, 0);
    arena.release(arena.allocate("test", whole));
    assert.throws(() => arena.allocate("test", whole + 1), { name: "MemoryError" });
  }
});

function call(attention: Whole, next: () => number) {
  const integer = (most: number) => 1 + Math.floor(((next() + 1) / 2) * most);
  const [h, l, s, d] = [integer(4), integer(40), integer(200), integer(40)];
  const query = tensor(new Float32Array(h * l * d), [1, h, l, d]);
  const key = tensor(new Float32Array(h * s * d), [1, h, s, d]);
  const kind = integer(6);
  if (kind <= 2) attention.attend(query, key, key, { causal: kind === 1, weights: l % 2 > 0 });
  else if (kind === 3) attention.allocate([h, l, d]).dispose();
  else if (kind === 4)
    assert.throws(() => attention.attend(query, key, query, { mask: new Uint8Array(7) }));
  else if (kind === 5) {
    const weight = prepareLinear(attention, tensor(new Float32Array(d * s), [d, s]), {
      order: "in,out",
    });
    linear(attention, query, weight);
    weight.dispose();
  } else {
    using out = attention.allocate([1, h, l, d]);
    attention.attend(query, key, key, { out });
  }
}

test("10,000 mixed calls: used is back at its start, reserved no longer grows", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  const next = random(5);
  let reserved = 0;
  for (let i = 0; i < 10_000; i++) {
    call(attention, next);
    if (i === 4999) reserved = attention.memory.reserved;
  }
  assert.equal(attention.memory.used, used);
  assert.equal(attention.memory.reserved, reserved);
});
