// Blocks that end where a memory of 4 GiB ends: no address after them may be taken for one before.
// The memory is reserved and hardly touched.

import assert from "node:assert/strict";
import { test } from "node:test";
import { linear, mergeStates, prepareLinear } from "wasm-attention";
import { rotate } from "wasm-attention/positions";
import { type AttendState, attendBackward, linearBackward } from "wasm-attention/training";
import { createWhole, randomTensor, type Whole } from "./engines";

const numbersOf = (result: object) =>
  Object.values(result).map(({ data }: { data: Float32Array }) => data.slice());

/** An engine whose memory has grown to all that there is. */
const whole = () => createWhole({ initialMemory: 2 ** 32, reproducible: true });

/** Takes all of the free memory but for `bytes` at its end; gives it back. */
function fillUp(attention: Whole, bytes: number): () => void {
  const { used, maximum } = attention.memory;
  // Small remainders before it are taken one by one.
  const taken = [
    attention.allocate([Math.floor((maximum - used) / 64) * 16 - 2 ** 16 - bytes / 4]),
  ];
  const end = taken[0].data.byteOffset + taken[0].data.byteLength;
  const rest = maximum - end - bytes;
  if (rest > 0) taken.push(attention.allocate([rest / 4]));
  return () => {
    for (const tensor of taken) tensor.dispose();
  };
}

test("the last page of 4 GiB stays free, and the figures say so", async () => {
  const attention = await whole();
  assert.equal(attention.memory.maximum, 2 ** 32 - 65536);
  assert.equal(attention.memory.reserved, 2 ** 32 - 65536);
  attention.dispose();
});

/** Rows far apart: what lies one after the last is past every address. */
const FAR = 2 ** 15;
const calls: [name: string, call: (attention: Whole) => object][] = [];
const [query, key, value] = [
  randomTensor([1, 4, 4, 16], 1),
  randomTensor([1, 2, 16, 16], 2),
  randomTensor([1, 2, 16, 16], 3),
];
const gradient = randomTensor([1, 4, 4, 16], 4);
calls.push(
  ["attend", (a) => a.attend(query, key, value, { logSumExp: true, weights: true })],
  [
    "attendBackward",
    (a) => {
      const state = a.attend(query, key, value, { logSumExp: true }) as AttendState;
      return attendBackward(a, { ...state, query, key, value, outputGradient: gradient });
    },
  ],
  [
    "linear",
    (a) => {
      const prepared = prepareLinear(a, randomTensor([16, 24], 5), { order: "in,out" });
      try {
        const x = randomTensor([70, 16], 6);
        return {
          y: linear(a, x, prepared),
          ...linearBackward(a, randomTensor([70, 24], 7), x, prepared),
        };
      } finally {
        prepared.dispose();
      }
    },
  ],
  ["rotate", (a) => ({ x: rotate(a, query, { positions: 3 }) })],
  [
    "mergeStates",
    (a) => {
      const part = a.attend(query, key, value, { logSumExp: true }) as AttendState;
      return mergeStates(a, [part, part]);
    },
  ],
);

for (const [name, call] of calls) {
  test(`${name} in the last kilobytes`, async () => {
    const attention = await whole();
    const want = numbersOf(call(attention));
    let least = 0;
    for (let bytes = 2 ** 17; bytes >= 64; bytes -= bytes > 2 ** 14 ? 1024 : 64) {
      const restore = fillUp(attention, bytes);
      try {
        assert.deepEqual(numbersOf(call(attention)), want, `${bytes} bytes`);
        least = bytes;
      } catch (error) {
        if ((error as Error).name !== "MemoryError") throw error;
        break;
      } finally {
        restore();
      }
    }
    assert.ok(least > 0 && least < 2 ** 17, `the least that it needs: ${least} bytes`);
    attention.dispose();
  });
}

test("one query over values whose rows lie further apart than what is left of the addresses", async () => {
  const attention = await whole();
  const dims = [1, 3, FAR / 64, 64];
  const [k, v] = [randomTensor(dims, 8), randomTensor(dims, 9)];
  const q = randomTensor([1, 1, FAR / 64, 64], 10);
  const want = attention.attend(q, k, v, { layout: "BLHD" }).output;
  const restore = fillUp(attention, k.data.byteLength);
  const last = attention.allocate(dims);
  restore();
  assert.equal(last.data.byteOffset + last.data.byteLength, 2 ** 32 - 65536);
  last.data.set(v.data);
  assert.deepEqual(attention.attend(q, k, last, { layout: "BLHD" }).output, want);
  last.data.set(k.data);
  assert.deepEqual(attention.attend(q, last, v, { layout: "BLHD" }).output, want);
  attention.dispose();
});

test("the sum of rows wider than what is left of the addresses", async () => {
  const attention = await whole();
  // What an address that wraps would find.
  attention.allocate([4 * FAR]).data.fill(1);
  const prepared = prepareLinear(attention, randomTensor([1, FAR], 11), { order: "in,out" });
  const [x, y] = [randomTensor([3, 1], 12), randomTensor([3, FAR], 13)];
  const want = linearBackward(attention, y, x, prepared, { gradients: { input: false } });
  const restore = fillUp(attention, y.data.byteLength);
  const last = attention.allocate(y.dims);
  restore();
  last.data.set(y.data);
  const got = linearBackward(attention, last, x, prepared, { gradients: { input: false } });
  assert.deepEqual(got, want);
  attention.dispose();
});
