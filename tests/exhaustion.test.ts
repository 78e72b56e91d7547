// Memory that runs out at every allocation of a call in turn: each is a MemoryError, nothing stays
// allocated, and the next call is right. The calls are the battery's, and a few that it has no bits of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { arenaClass } from "./arena";
import { allCases } from "./battery/battery";
import type { Operation } from "./battery/operations";
import * as wasm from "./battery/package";
import { engine, randomTensor, type Whole } from "./engines";

const { appendedKeys, MemoryError, MultiHeadAttention, prepareLinear } = wasm;

const eye = { weight: randomTensor([4, 4], 3), order: "in,out" } as const;
const eyes = { query: eye, key: eye, value: eye, output: eye };
const x = randomTensor([2, 5, 4], 2);

const others: readonly Operation[] = [
  [
    "allocate",
    (a) => {
      using allocated = a.allocate([7]);
      return [{ data: new Float32Array(7), dims: allocated.dims }];
    },
  ],
  [
    "scoreMod",
    (a) => [
      a.attend(x, x, x, { scoreMod: ({ scores }) => scores.fill(0.5), scores: "raw" }).output,
    ],
  ],
  [
    "update",
    (a) => {
      using weight = prepareLinear(a, eye.weight, { order: eye.order });
      weight.update(randomTensor([4, 4], 9));
      return [wasm.linear(a, x, weight)];
    },
  ],
  [
    "a record that no backward pass reads",
    (a) => {
      using layer = new MultiHeadAttention(a, { heads: 2 }, eyes);
      const { output, record } = layer.forward(x, { record: true });
      record.dispose();
      return [output];
    },
  ],
  [
    "a bias key and zeros, with weights of every head",
    (a) => {
      const biasKeyValue = { key: randomTensor([4], 4), value: randomTensor([4], 5) };
      const appended = appendedKeys({ addZeroAttention: true, biasKeyValue });
      const config = { heads: 2, appended };
      using layer = new MultiHeadAttention(a, config, eyes);
      const { output, weights, logSumExp } = layer.forward(x, { weights: true, logSumExp: true });
      return [output, weights, logSumExp];
    },
  ],
];
const calls = [...allCases, ...others];
const call = async ([, run]: Operation, attention: Whole) => [...(await run(attention, wasm))];

/** What needs no linear memory. */
const none: string[] = [];

const { prototype } = await arenaClass();
const { allocate } = prototype;
/** Fails the allocation after so many more. */
let remaining = Number.POSITIVE_INFINITY;
let asked = 0;
/** Most bytes in blocks at once. */
let peak = 0;
prototype.allocate = function (operation, bytes) {
  asked++;
  if (remaining-- === 0) throw new MemoryError(operation, "memory", `${bytes}`, "none");
  const address = allocate.call(this, operation, bytes);
  peak = Math.max(peak, this.used);
  return address;
};

for (const one of calls) {
  test(`${one[0]}: each of its blocks that fails is a MemoryError, and nothing stays`, async () => {
    using attention = await engine("portable");
    const want = await call(one, attention);
    const { used } = attention.memory;
    asked = 0;
    await call(one, attention);
    const blocks = asked;
    if (blocks === 0) none.push(one[0]);
    for (let nth = 0; nth < blocks; nth++) {
      remaining = nth;
      await assert.rejects(call(one, attention), MemoryError, `block ${nth}`);
      remaining = Number.POSITIVE_INFINITY;
      assert.equal(attention.memory.used, used, `block ${nth}`);
    }
    assert.deepEqual(await call(one, attention), want);
  });
}

test("all but tables and half floats need memory", () => {
  assert.deepEqual(none, [
    "rotary frequencies, scaled",
    "sinusoidal positions",
    "biases of T5 and slopes of ALiBi",
    "half floats",
  ]);
});

/** Shares of what a call needs that are left to it. */
const TRIES = 8;

test("memory that is full, but for less than a call needs, is a MemoryError too", async () => {
  using attention = await engine("portable", { maximumMemory: 2 ** 26 });
  let most = attention.memory.maximum;
  const filling = (left: number) => attention.allocate([(most - left) / 4]);
  // The constants of the modules are not to be had.
  for (let full: { dispose(): void } | undefined; !full; ) {
    most -= 64;
    try {
      full = filling(0);
      full.dispose();
    } catch (error) {
      assert.ok(error instanceof MemoryError && most > 0);
    }
  }
  for (const one of calls) {
    const { used } = attention.memory;
    peak = used;
    const want = await call(one, attention);
    const needed = peak - used;
    for (let share = 0; share < TRIES; share++) {
      const left = Math.floor((needed * share) / TRIES / 64) * 64;
      if (left >= needed) continue;
      const filler = filling(left);
      const before = attention.memory.used;
      await assert.rejects(call(one, attention), MemoryError, `${one[0]}: ${left} bytes left`);
      assert.equal(attention.memory.used, before);
      filler.dispose();
    }
    assert.deepEqual(await call(one, attention), want);
    assert.equal(attention.memory.used, used);
  }
});
