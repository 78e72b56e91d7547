// Queries, keys and values of one tensor: the bits of the three apart, in place, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attendQkv, attendQkvAsync, type QkvOptions, tensor } from "wasm-attention";
import { holds } from "./checks/property";
import { checkQkv, qkvProblems } from "./checks/qkv";
import { bitsOf, engine, randomArray, randomTensor, variants } from "./engines";

for (const variant of variants) {
  test(`the bits of the three apart, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(qkvProblems, (drawn) => checkQkv(attention, drawn), 150);
  });
}

test("by threads and without holding the thread: the same bits", async () => {
  const qkv = randomTensor([2, 300, 3, 4, 32], 1);
  const options = { causal: true, logSumExp: true } as const;
  const want = bitsOf(attendQkv(await engine("portable"), qkv, options));
  const threaded = await engine("portable", { threads: 2 });
  assert.equal(threaded.threads, 2, threaded.threadsFallback);
  const allocated = threaded.allocate(qkv.dims);
  allocated.data.set(qkv.data);
  assert.deepEqual(bitsOf(attendQkv(threaded, allocated, options)), want);
  assert.deepEqual(bitsOf(await attendQkvAsync(threaded, allocated, options)), want);
  assert.deepEqual(bitsOf(await attendQkvAsync(await engine("portable"), qkv, options)), want);
  threaded.dispose();
});

test("in linear memory it is read where it lies", async () => {
  const dims = [8, 300, 3, 2, 32];
  const data = randomArray(8 * 300 * 3 * 64, 1);
  const want = attendQkv(await engine("portable"), tensor(data, dims)).output.data;
  // It and the output fit, and scratch, but no copy of it.
  const memory = 3 * 2 ** 20;
  const attention = await engine("portable", { initialMemory: memory, maximumMemory: memory });
  const qkv = attention.allocate(dims);
  qkv.data.set(data);
  assert.ok(attention.memory.used + data.byteLength > memory);
  assert.deepEqual(attendQkv(attention, qkv).output.data, want);
});

test("dims and options that do not fit are refused", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  const of = (...dims: number[]) => randomTensor(dims, 1);
  const refused: [number[], QkvOptions, string][] = [
    [
      [2, 3, 8],
      {},
      '"qkv.dims" expected [B, L, 3, H, D] or [L, 3, H, D], or heads and [B, L, E], got [2, 3, 8]',
    ],
    [
      [2, 5, 2, 2, 4],
      {},
      '"qkv.dims" expected [B, L, 3, H, D] or [L, 3, H, D], or heads and [B, L, E], got [2, 5, 2, 2, 4]',
    ],
    [
      [5, 3, 2, 4],
      { interleaved: true },
      '"qkv.dims" expected [B, L, H, 3, D] or [L, H, 3, D], or heads and [B, L, E], got [5, 3, 2, 4]',
    ],
    [
      [2, 5, 3, 2, 4],
      { keyValueHeads: 1 },
      '"keyValueHeads" expected no value without heads: the dims say it, got 1',
    ],
    [
      [2, 5, 17],
      { heads: 2 },
      '"qkv.dims" expected [B, L, (H + 2·Hkv)·D = 6·D] or [L, (H + 2·Hkv)·D = 6·D], got [2, 5, 17]',
    ],
    [
      [2, 5, 3, 2, 4],
      { heads: 2 },
      '"qkv.dims" expected [B, L, (H + 2·Hkv)·D = 6·D] or [L, (H + 2·Hkv)·D = 6·D], got [2, 5, 3, 2, 4]',
    ],
    [
      [2, 5, 20],
      { heads: 3, keyValueHeads: 2 },
      '"keyValueHeads" expected a divisor of heads = 3, got 2',
    ],
    [
      [2, 5, 16],
      { heads: 2, keyValueHeads: 1, interleaved: true },
      '"keyValueHeads" expected heads = 2 with interleaved: true, for heads to be one stride apart, got 1',
    ],
    [
      [2, 5, 3, 2, 4],
      { cumulativeQueries: [0, 5] },
      '"qkv.dims" expected no batch axis with cumulativeQueries: sequences are laid end to end, got [2, 5, 3, 2, 4]',
    ],
    [
      [5, 3, 2, 4],
      { cumulativeQueries: [0, 4] },
      '"cumulativeQueries[1]" expected the number of tokens, 5, got 4',
    ],
    [
      [5, 3, 2, 4],
      { cumulativeQueries: [0, 5], weights: true },
      '"weights" expected no value: sequences are laid end to end, got true',
    ],
    [[2, 5, 3, 2, 4], { layout: "BLHD" } as never, '"layout" expected one of '],
  ];
  for (const [dims, options, message] of refused) {
    let said = "nothing";
    try {
      attendQkv(attention, of(...dims), options);
    } catch (error) {
      said = `${(error as Error).name}: ${(error as Error).message}`;
    }
    assert.ok(said.startsWith(`ArgumentError: attendQkv: ${message}`), said);
  }
  assert.equal(attention.memory.used, used);
});
