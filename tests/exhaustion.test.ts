// Memory that runs out at every allocation of a call in turn: each is a MemoryError, nothing stays
// allocated, and the next call is right.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AllocatedTensor,
  attendPacked,
  linear,
  MemoryError,
  MultiHeadAttention,
  mergeStates,
  prepareLinear,
  tensor,
} from "wasm-attention";
import { rotate } from "wasm-attention/positions";
import {
  type AttendState,
  attendBackward,
  attendPackedBackward,
  linearBackward,
  multiHeadBackward,
} from "wasm-attention/training";
import { arenaClass } from "./arena";
import { engine, randomArray, type Whole } from "./engines";

const x = tensor(randomArray(2 * 2 * 5 * 4, 1), [2, 2, 5, 4]);
const packed = tensor(x.data, [20, 1, 4]);
const rows = tensor(randomArray(40, 2), [2, 5, 4]);
const eye = { weight: tensor(randomArray(16, 3), [4, 4]), order: "in,out" } as const;
const { order } = eye;
const eyes = { query: eye, key: eye, value: eye, output: eye };
const extra = {
  heads: 2,
  addZeroAttention: true,
  biasKeyValue: { key: tensor(randomArray(4, 4), [4]), value: tensor(randomArray(4, 5), [4]) },
};

const everything = {
  causal: true,
  mask: { data: new Uint8Array(25).fill(1), dims: [5, 5] },
  blockMask: { data: Uint8Array.of(1), dims: [1, 1, 1, 1], size: 5 },
  alibi: { slopes: [1, 2] },
  sinks: [0, 1],
  scoreMod: () => undefined,
  weights: true,
  scores: "raw",
  logSumExp: true,
} as const;

const calls: [name: string, call: (attention: Whole) => unknown][] = [
  ["attend", (a) => a.attend(x, x, x)],
  ["attend with every option", (a) => a.attend(x, x, x, everything)],
  [
    "attendPacked",
    (a) => attendPacked(a, packed, packed, packed, { cumulativeQueries: [0, 7, 20] }),
  ],
  [
    "mergeStates",
    (a) => {
      const state = { output: x, logSumExp: tensor(new Float32Array(20), [2, 2, 5]) };
      return mergeStates(a, [state, state]);
    },
  ],
  [
    "attendBackward",
    (a) => {
      const options = { ...everything, scoreMod: undefined, mask: new Float32Array(25) };
      const state = a.attend(x, x, x, options) as AttendState;
      const gradients = { mask: true, alibi: true, sinks: true };
      return attendBackward(
        a,
        { ...state, query: x, key: x, value: x, outputGradient: x },
        { ...options, gradients },
      );
    },
  ],
  [
    "attendPackedBackward",
    (a) => {
      const options = { cumulativeQueries: [0, 7, 20], logSumExp: true };
      const state = attendPacked(a, packed, packed, packed, options) as AttendState;
      return attendPackedBackward(
        a,
        { ...state, query: packed, key: packed, value: packed, outputGradient: packed },
        options,
      );
    },
  ],
  ["rotate", (a) => rotate(a, x)],
  ["allocate", (a) => a.allocate([7]).dispose()],
  ["prepareLinear", (a) => prepareLinear(a, eye.weight, { order }).dispose()],
  [
    "linear",
    (a) => {
      using weight = prepareLinear(a, eye.weight, { order });
      return linear(a, rows, weight);
    },
  ],
  [
    "linearBackward",
    (a) => {
      using weight = prepareLinear(a, eye.weight, { order, bias: new Float32Array(4) });
      return linearBackward(a, rows, rows, weight);
    },
  ],
  [
    "update",
    (a) => {
      using weight = prepareLinear(a, eye.weight, { order });
      weight.update(tensor(randomArray(16, 9), [4, 4]));
      return linear(a, rows, weight);
    },
  ],
  [
    "backward",
    (a) => {
      using layer = new MultiHeadAttention(a, { heads: 2 }, eyes);
      const { record } = layer.forward(rows, { record: true });
      assert.ok(record);
      using pass = record;
      return multiHeadBackward(layer, rows, pass);
    },
  ],
  ["new MultiHeadAttention", (a) => new MultiHeadAttention(a, { heads: 2 }, eyes).dispose()],
  [
    "forward",
    (a) => {
      using layer = new MultiHeadAttention(a, { heads: 2 }, eyes);
      return layer.forward({ query: rows, key: rows, value: rows }, { weights: "mean" });
    },
  ],
  [
    "forward with rows appended",
    (a) => {
      using layer = new MultiHeadAttention(a, extra, eyes);
      return layer.forward(
        { query: rows, key: rows, value: rows },
        { weights: true, logSumExp: true },
      );
    },
  ],
];

const { prototype } = await arenaClass();
const { allocate } = prototype;
/** Fails the allocation after so many more. */
let remaining = Number.POSITIVE_INFINITY;
let asked = 0;
prototype.allocate = function (operation, bytes) {
  asked++;
  if (remaining-- === 0) throw new MemoryError(operation, "memory", `${bytes}`, "none");
  return allocate.call(this, operation, bytes);
};

for (const [name, call] of calls) {
  test(`${name}: each of its blocks that fails is a MemoryError, and nothing stays`, async () => {
    const attention = await engine("portable");
    const want = call(attention);
    const { used } = attention.memory;
    asked = 0;
    call(attention);
    const blocks = asked;
    assert.ok(blocks > 0);
    for (let nth = 0; nth < blocks; nth++) {
      remaining = nth;
      assert.throws(() => call(attention), MemoryError, `block ${nth}`);
      remaining = Number.POSITIVE_INFINITY;
      assert.equal(attention.memory.used, used, `block ${nth}`);
      assert.deepEqual(call(attention), want);
    }
  });
}

test("memory that is full, but for less than a call needs, is a MemoryError too", async () => {
  const attention = await engine("portable", { maximumMemory: 2 ** 17 });
  for (const [name, call] of calls) {
    const want = call(attention);
    const { used, maximum } = attention.memory;
    let refused = 0;
    for (let left = 0; left < maximum; left += 64) {
      let filler: AllocatedTensor | undefined;
      try {
        filler = attention.allocate([(maximum - used - left) / 4]);
      } catch {
        // The constants of the module are not to be had.
        continue;
      }
      const before = attention.memory.used;
      try {
        call(attention);
        break;
      } catch (error) {
        assert.ok(error instanceof MemoryError, `${name}: ${error}`);
        assert.equal(attention.memory.used, before);
        refused++;
      } finally {
        filler.dispose();
      }
    }
    assert.ok(refused > 0);
    assert.deepEqual(call(attention), want);
    assert.equal(attention.memory.used, used);
  }
});
