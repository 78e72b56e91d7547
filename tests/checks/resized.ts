// A buffer that is made larger or smaller while an asynchronous call copies from it: the call is right
// or refused with a word, and what lies beside its block stays as it is.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { Attention, Tensor } from "wasm-attention";
import { randomArray } from "../engines";
import { Resizable } from "./buffers";

export const resizes = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  /** Large enough to be copied in several parts. */
  keys: fc.integer({ min: 70_000, max: 90_000 }),
  tracking: fc.boolean(),
  part: fc.constantFrom(0, 0.5, 0.99, 1.01, 1.9),
  turns: fc.integer({ min: 0, max: 6 }),
  which: fc.constantFrom("key", "value"),
});
type Drawn = typeof resizes extends fc.Arbitrary<infer T> ? T : never;

export async function checkResized(attention: Attention, drawn: Drawn): Promise<void> {
  const { keys, seed, turns } = drawn;
  const size = 4;
  const { used } = attention.memory;
  const data = randomArray(keys * size, seed);
  const buffer = new Resizable(data.byteLength, { maxByteLength: 2 * data.byteLength });
  const view = drawn.tracking ? new Float32Array(buffer) : new Float32Array(buffer, 0, data.length);
  view.set(data);
  const query = { data: randomArray(size, seed + 1), dims: [1, size] };
  const still = { data, dims: [keys, size] };
  const moving = { data: view, dims: [keys, size] };
  const [key, value]: Tensor[] = drawn.which === "key" ? [moving, still] : [still, moving];
  const want = attention.attend(query, still, still).output.data;

  const call = attention.attendAsync(query, key, value);
  // By name: an engine at the end of memory is of another copy of the package.
  const result = call.catch((error) => assert.equal(error.name, "ArgumentError", `${error}`));
  for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
  // Whoever allocates meanwhile lies behind the call's block.
  const beside = attention.allocate([100_000]);
  beside.data.fill(7);
  buffer.resize(Math.floor((data.length * drawn.part) / 2) * 8);
  const got = await result;
  if (got) assert.deepEqual(got.output.data, want);
  assert.ok(beside.data.every((element) => element === 7));
  beside.dispose();
  assert.equal(attention.memory.used, used);
}
