// attendQkv and its gradients against attend over the same queries, keys and values apart: the same bits.

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type AttendResult,
  attendPacked,
  attendQkv,
  type PackedOptions,
  type QkvOptions,
  type ScoreOptions,
  type Tensor,
  tensor,
} from "wasm-attention";
import { bitsOf, randomArray, type Whole } from "../engines";
import { checkQkvBackward } from "./qkv-backward";

export const qkvProblems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 3 }),
  length: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom(1, 63, 64, 65, 129, 257)),
  keyValueHeads: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  size: fc.constantFrom(1, 4, 5, 16, 33),
  form: fc.constantFrom("apart", "interleaved", "beside", "beside, interleaved"),
  batched: fc.boolean(),
  packed: fc.boolean(),
  allocated: fc.boolean(),
  into: fc.boolean(),
  causal: fc.constantFrom(undefined, true, "lower-right" as const),
  window: fc.constantFrom(undefined, { left: 3 }, { left: 0, right: 2 }),
  alibi: fc.boolean(),
  lengths: fc.boolean(),
  weights: fc.boolean(),
});

type Drawn = typeof qkvProblems extends fc.Arbitrary<infer T> ? T : never;

export function checkQkv(attention: Whole, drawn: Drawn): void {
  const { seed, length: L, size: D, form } = drawn;
  const interleaved = form.includes("interleaved");
  const beside = form.includes("beside");
  const keyValueHeads = drawn.keyValueHeads;
  const heads = keyValueHeads * (beside && !interleaved ? drawn.group : 1);
  const batch = drawn.batched && !drawn.packed ? drawn.batch : 1;
  const lead = drawn.batched && !drawn.packed ? [batch, L] : [L];
  const width = (heads + 2 * keyValueHeads) * D;
  const data = randomArray(batch * L * width, seed);
  const dims = beside
    ? [...lead, width]
    : [...lead, ...(interleaved ? [heads, 3, D] : [3, heads, D])];
  /** [B, L, heads, D] of queries, keys or values. */
  const part = (which: number): Tensor => {
    const count = which ? keyValueHeads : heads;
    const first = [0, heads, heads + keyValueHeads][which];
    const x = new Float32Array(batch * L * count * D);
    for (let row = 0; row < batch * L; row++)
      for (let h = 0; h < count; h++)
        for (let d = 0; d < D; d++)
          x[(row * count + h) * D + d] =
            data[row * width + (interleaved ? h * 3 + which : first + h) * D + d];
    return tensor(x, [...lead, count, D]);
  };
  const [query, key, value] = [0, 1, 2].map(part) as [Tensor, Tensor, Tensor];
  const fuse = (parts: readonly Tensor[]) => {
    const x = new Float32Array(data.length);
    for (const [which, { data: from }] of parts.entries()) {
      const count = which ? keyValueHeads : heads;
      const first = [0, heads, heads + keyValueHeads][which];
      for (let row = 0; row < batch * L; row++)
        for (let h = 0; h < count; h++)
          for (let d = 0; d < D; d++)
            x[row * width + (interleaved ? h * 3 + which : first + h) * D + d] =
              from[(row * count + h) * D + d];
    }
    return x;
  };

  const common: Omit<PackedOptions, "cumulativeQueries"> = {
    causal: drawn.causal,
    window: drawn.window,
    alibi: drawn.alibi ? { slopes: randomArray(heads, seed + 1) } : undefined,
    logSumExp: true,
  };
  const score: ScoreOptions = {
    ...common,
    ...(!drawn.packed && {
      weights: drawn.weights || undefined,
      keyLengths: drawn.lengths ? Array.from({ length: batch }, (_, b) => L >> b) : undefined,
    }),
  };
  const cumulative = [0, Math.floor(L / 3), Math.floor(L / 3), L];
  const asked: QkvOptions = {
    ...score,
    ...(beside && { heads, keyValueHeads }),
    ...(interleaved && { interleaved }),
    ...(drawn.packed && { cumulativeQueries: cumulative }),
  };
  const want = drawn.packed
    ? attendPacked(attention, query, key, value, { ...common, cumulativeQueries: cumulative })
    : attention.attend(query, key, value, { ...score, layout: "BLHD" });

  const { used } = attention.memory;
  const allocated = drawn.allocated ? attention.allocate(dims) : undefined;
  allocated?.data.set(data);
  const qkv = allocated ?? tensor(data.slice(), dims);
  const outputDims = beside ? [...lead, heads * D] : [...lead, heads, D];
  // Over what it reads.
  const own = { data: qkv.data.subarray(0, batch * L * heads * D), dims: outputDims };
  const out = drawn.into ? own : undefined;
  const got: AttendResult = attendQkv(attention, qkv, out ? { ...asked, out } : asked);
  assert.deepEqual(got.output.dims, outputDims);
  assert.deepEqual(bitsOf(got), bitsOf(want));
  if (!out) assert.deepEqual(Buffer.from(qkv.data.slice().buffer), Buffer.from(data.buffer));
  qkv.data.set(data);
  checkQkvBackward(attention, {
    ...{ qkv, parts: [query, key, value], fuse, asked, score, seed },
    cumulative: drawn.packed ? cumulative : undefined,
  });
  allocated?.dispose();
  assert.equal(attention.memory.used, used);
}
