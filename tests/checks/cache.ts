// A cache through a random history beside plain arrays of the same tokens: whatever was appended, cut,
// forked, reordered, shifted and stored, attend gives the bits of one attend over each sequence alone, now
// or while the cache goes on; whatever fails for want of memory changes nothing.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { CacheNumbers } from "wasm-attention/cache";
import type { Whole } from "../engines";
import type { Failing } from "../failing";
import { CacheModel } from "./cache-model";

export { same } from "./cache-model";

const tokens = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 20 }) },
  fc.constantFrom(1, 1, 63, 65, 127, 128, 129, 300),
);
const which = fc.integer({ min: 0, max: 7 });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ append: fc.array(tokens, { minLength: 1, maxLength: 3 }) }) },
  { weight: 5, arbitrary: fc.record({ attend: fc.array(which, { minLength: 1, maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ truncate: which, by: fc.integer({ min: 0, max: 140 }) }) },
  { weight: 1, arbitrary: fc.record({ fork: which }) },
  { weight: 1, arbitrary: fc.record({ reorder: fc.array(which, { minLength: 8, maxLength: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ release: which }) },
  { weight: 1, arbitrary: fc.record({ store: which }) },
  {
    weight: 1,
    arbitrary: fc.record({
      shift: which,
      keep: fc.integer({ min: 0, max: 40 }),
      drop: fc.integer({ min: 0, max: 140 }),
    }),
  },
);

export const cacheProblems = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  keyValueHeads: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  headSize: fc.constantFrom(1, 5, 8, 32, 64),
  valueSize: fc.constantFrom(1, 4, 9, 32, 40),
  pageSize: fc.constantFrom(1, 7, 16, 32, 64, 100, 128, 128, 256),
  sequences: fc.integer({ min: 1, max: 3 }),
  window: fc.constantFrom(undefined, undefined, 1, 20, 130, 200),
  sinks: fc.constantFrom(0, 0, 3, 150),
  numbers: fc.constantFrom<CacheNumbers[]>(
    "float32",
    "float32",
    "float32",
    "int16",
    "int8",
    "int4",
  ),
  steps: fc.array(step, { minLength: 2, maxLength: 12 }),
});

export type Drawn = typeof cacheProblems extends fc.Arbitrary<infer T> ? T : never;

export function checkCache(attention: Whole, drawn: Drawn): void {
  const { used } = attention.memory;
  const model = new CacheModel(attention, drawn);
  for (const step of drawn.steps) model.take(step);
  model.cache.dispose();
  assert.equal(attention.memory.used, used);
}

/** The same while attends are in flight: each sees the cache as it was when it was called. */
export async function checkCacheLater(attention: Whole, drawn: Drawn): Promise<void> {
  const { used } = attention.memory;
  const model = new CacheModel(attention, drawn);
  const flying: Promise<void>[] = [];
  for (const step of drawn.steps) {
    if ("attend" in step) {
      const { query, options, check } = model.ask(step.attend);
      flying.push(model.cache.attendAsync(query, options).then(check));
    } else model.take(step);
  }
  await Promise.all(flying);
  model.cache.dispose();
  assert.equal(attention.memory.used, used);
}

/** The same with every allocation of each step failing in turn, which changes nothing. */
export function checkCacheFailing(attention: Whole, drawn: Drawn, { during }: Failing): void {
  const { used } = attention.memory;
  const model = new CacheModel(attention, drawn);
  const { cache } = model;
  const contents = () => cache.sequences.map((id) => [id, Buffer.from(cache.export(id))]);
  for (const step of drawn.steps) {
    const before = contents();
    const held = attention.memory.used;
    for (let nth = 0; during(nth, () => model.take(step)); nth++) {
      assert.deepEqual(contents(), before);
      assert.equal(attention.memory.used, held);
    }
  }
  cache.dispose();
  assert.equal(attention.memory.used, used);
}
