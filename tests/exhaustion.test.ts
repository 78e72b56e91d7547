// Memory that runs out at every allocation of a call in turn: each is a MemoryError, nothing stays
// allocated, and the next call is right.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AllocatedTensor,
  type AttendState,
  type Attention,
  MemoryError,
  MultiHeadAttention,
  tensor,
} from "wasm-attention";
import { engine, randomArray } from "./engines";
import { instrumented } from "./instrumented";

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

/** A call and how many blocks it takes. */
const calls: [
  name: string,
  blocks: number,
  call: (attention: Attention, Layer: typeof MultiHeadAttention) => unknown,
][] = [
  ["attend", 1, (a) => a.attend(x, x, x)],
  ["attend with every option", 1, (a) => a.attend(x, x, x, everything)],
  [
    "attendPacked",
    1,
    (a) => a.attendPacked(packed, packed, packed, { cumulativeQueries: [0, 7, 20] }),
  ],
  [
    "mergeStates",
    1,
    (a) => {
      const state = { output: x, logSumExp: tensor(new Float32Array(20), [2, 2, 5]) };
      return a.mergeStates([state, state]);
    },
  ],
  [
    "attendBackward",
    2,
    (a) => {
      const options = { ...everything, scoreMod: undefined, mask: new Float32Array(25) };
      const state = a.attend(x, x, x, options) as AttendState;
      const gradients = { mask: true, alibi: true, sinks: true };
      return a.attendBackward(x, x, x, x, state, { ...options, gradients });
    },
  ],
  [
    "attendPackedBackward",
    2,
    (a) => {
      const options = { cumulativeQueries: [0, 7, 20], logSumExp: true };
      const state = a.attendPacked(packed, packed, packed, options) as AttendState;
      return a.attendPackedBackward(packed, packed, packed, packed, state, options);
    },
  ],
  ["rotate", 1, (a) => a.rotate(x)],
  ["allocate", 1, (a) => a.allocate([7]).dispose()],
  ["prepareLinear", 2, (a) => a.prepareLinear(eye.weight, { order }).dispose()],
  [
    "linear",
    3,
    (a) => {
      using weight = a.prepareLinear(eye.weight, { order });
      return a.linear(rows, weight);
    },
  ],
  [
    "linearBackward",
    10,
    (a) => {
      using weight = a.prepareLinear(eye.weight, { order, bias: new Float32Array(4) });
      return a.linearBackward(rows, rows, weight);
    },
  ],
  [
    "update",
    4,
    (a) => {
      using weight = a.prepareLinear(eye.weight, { order });
      weight.update(tensor(randomArray(16, 9), [4, 4]));
      return a.linear(rows, weight);
    },
  ],
  [
    "backward",
    50,
    (a, Layer) => {
      using layer = new Layer(a, { heads: 2 }, eyes);
      const { record } = layer.forward(rows, undefined, undefined, { record: true });
      assert.ok(record);
      using kept = record;
      return layer.backward(rows, kept);
    },
  ],
  ["new MultiHeadAttention", 8, (a, Layer) => new Layer(a, { heads: 2 }, eyes).dispose()],
  [
    "forward",
    17,
    (a, Layer) => {
      using layer = new Layer(a, { heads: 2 }, eyes);
      return layer.forward(rows, rows, rows, { weights: "mean" });
    },
  ],
  [
    "forward with rows appended",
    20,
    (a, Layer) => {
      using layer = new Layer(a, extra, eyes);
      return layer.forward(rows, rows, rows, { weights: true, logSumExp: true });
    },
  ],
];

const wasm = await instrumented("exhaustion");
const allocate = wasm.Arena.prototype.allocate;
/** Fails the allocation after so many more. */
let remaining = Number.POSITIVE_INFINITY;
wasm.Arena.prototype.allocate = function (operation, bytes) {
  if (remaining-- === 0) throw new wasm.MemoryError(operation, "memory", `${bytes}`, "none");
  return allocate.call(this, operation, bytes);
};

for (const [name, blocks, call] of calls) {
  test(`${name}: each of its ${blocks} blocks that fails is a MemoryError, and nothing stays`, async () => {
    const attention = await wasm.createAttention({ reproducible: true });
    const want = call(attention, wasm.MultiHeadAttention);
    const { used } = attention.memory;
    for (let nth = 0; nth < blocks; nth++) {
      remaining = nth;
      assert.throws(
        () => call(attention, wasm.MultiHeadAttention),
        wasm.MemoryError,
        `block ${nth}`,
      );
      remaining = Number.POSITIVE_INFINITY;
      assert.equal(attention.memory.used, used, `block ${nth}`);
      assert.deepEqual(call(attention, wasm.MultiHeadAttention), want);
    }
    remaining = blocks;
    assert.deepEqual(
      call(attention, wasm.MultiHeadAttention),
      want,
      "no block beyond those was asked for",
    );
    assert.equal(remaining, 0, "and not fewer");
    remaining = Number.POSITIVE_INFINITY;
  });
}

test("memory that is full, but for less than a call needs, is a MemoryError too", async () => {
  const attention = await engine("portable", { maximumMemory: 2 ** 17 });
  for (const [name, , call] of calls) {
    const want = call(attention, MultiHeadAttention);
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
        call(attention, MultiHeadAttention);
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
    assert.deepEqual(call(attention, MultiHeadAttention), want);
    assert.equal(attention.memory.used, used);
  }
});
