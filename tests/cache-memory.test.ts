// The memory of caches: what fails changes nothing, what is forgotten comes back, and long use leaves
// nothing behind.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { MemoryError, type Tensor, tensor } from "wasm-attention";
import { type AttentionCache, attendPaged, createCache, PrefixIndex } from "wasm-attention/cache";
import { arenaClass } from "./arena";
import { engine, random, randomArray, type Whole } from "./engines";

const [H, D] = [2, 8];
const rows = (tokens: number, seed: number, batch = 1): Tensor =>
  tensor(randomArray(batch * H * tokens * D, seed), [batch, H, tokens, D]);

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

/** All tokens of all sequences. */
function contentOf(cache: AttentionCache): string[] {
  return cache.sequences.map((id) => `${id} ${Buffer.from(cache.export(id)).toString("base64")}`);
}

function filled(attention: Whole): AttentionCache {
  const rotary = { base: 100 };
  const cache = createCache(attention, { keyValueHeads: H, headSize: D, pageSize: 8, rotary });
  cache.append(rows(20, 1), rows(20, 2));
  cache.fork();
  cache.begin();
  return cache;
}

const changes: [name: string, change: (cache: AttentionCache, attention: Whole) => unknown][] = [
  ["append", (cache) => cache.append(rows(30, 3, 3), rows(30, 4, 3))],
  ["append to one of a fork", (cache) => cache.append(rows(1, 5), rows(1, 6), { sequences: [1] })],
  ["append nothing", (cache) => cache.append(rows(0, 5, 3), rows(0, 6, 3))],
  ["attend", (cache) => cache.attend(rows(2, 7, 3), { queryLengths: [2, 2, 0] })],
  ["read", (cache) => cache.read(0, { from: 3, to: 17 })],
  ["shift", (cache) => cache.shift(0, { keep: 3, drop: 5 })],
  ["export", (cache) => cache.export(1)],
  ["import", (cache) => cache.import(cache.export(1))],
  ["copyTo itself", (cache) => cache.copyTo(cache, 1)],
  [
    "copyTo another",
    (cache, attention) => {
      using other = createCache(attention, {
        keyValueHeads: H,
        headSize: D,
        rotary: { base: 100 },
      });
      cache.copyTo(other, 1);
    },
  ],
];

for (const [name, change] of changes) {
  test(`${name}: each block that fails is a MemoryError, and changes nothing`, async () => {
    const attention = await engine("portable");
    const { used } = attention.memory;
    for (let nth = 0; ; nth++) {
      const cache = filled(attention);
      const before = contentOf(cache);
      const held = attention.memory.used;
      asked = 0;
      remaining = nth;
      let failed = false;
      try {
        change(cache, attention);
      } catch (error) {
        assert.ok(error instanceof MemoryError, String(error));
        failed = true;
      } finally {
        remaining = Number.POSITIVE_INFINITY;
      }
      if (!failed) {
        assert.equal(asked, nth);
        cache.dispose();
        break;
      }
      assert.equal(attention.memory.used, held, `block ${nth}`);
      assert.deepEqual(contentOf(cache), before, `block ${nth}`);
      change(cache, attention);
      cache.dispose();
    }
    assert.equal(attention.memory.used, used);
  });
}

test("attendPaged gives all back, whichever block fails", async () => {
  const attention = await engine("portable");
  const pages = tensor(randomArray(4 * 8 * H * D, 1), [4, 8, H, D]);
  const call = () =>
    attendPaged(attention, rows(3, 2), pages, pages, { blockTable: [2, 0], lengths: [13] });
  const want = call();
  const { used } = attention.memory;
  for (let nth = 0; ; nth++) {
    remaining = nth;
    try {
      assert.deepEqual(call(), want);
      break;
    } catch (error) {
      assert.ok(error instanceof MemoryError, String(error));
      assert.equal(attention.memory.used, used);
    } finally {
      remaining = Number.POSITIVE_INFINITY;
    }
  }
});

test("maximumBytes: an append past it changes nothing, prefixes give way", async () => {
  const attention = await engine("portable");
  const maximumBytes = 4 * 8 * H * 2 * D * 4;
  using cache = createCache(attention, {
    keyValueHeads: H,
    headSize: D,
    pageSize: 8,
    maximumBytes,
  });
  cache.append(rows(25, 1), rows(25, 2));
  assert.deepEqual(cache.memory, { pages: 4, bytes: maximumBytes });
  const before = contentOf(cache);
  assert.throws(() => cache.append(rows(8, 3), rows(8, 4)), {
    name: "MemoryError",
    argument: "maximumBytes",
  });
  assert.deepEqual(contentOf(cache), before);
  cache.append(rows(7, 3), rows(7, 4));
  using index = new PrefixIndex(cache);
  index.add(
    0,
    Array.from({ length: 32 }, (_, i) => i),
  );
  cache.release(0);
  assert.equal(cache.memory.pages, 4);
  const id = cache.begin();
  cache.append(rows(30, 3), rows(30, 4), { sequences: [id] });
  assert.deepEqual([cache.memory.pages, index.counts.pages, index.counts.dropped], [4, 0, 4]);
  for (const bad of [0, maximumBytes / 4 - 1, "1", NaN]) {
    assert.throws(
      () =>
        createCache(attention, {
          keyValueHeads: H,
          headSize: D,
          pageSize: 8,
          maximumBytes: bad as number,
        }),
      { argument: "maximumBytes" },
    );
  }
});

test("a cache that nobody holds gives its pages back", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  const forget = () => {
    const cache = filled(attention);
    const index = new PrefixIndex(cache);
    index.add(0, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    return attention.memory.used;
  };
  assert.ok(forget() > used);
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  for (let round = 0; round < 50 && attention.memory.used > used; round++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(attention.memory.used, used);
});

test("fifty conversations with forks, cuts and prefixes: memory is back at its start", async () => {
  const attention = await engine("portable");
  const next = random(7);
  const below = (count: number) => Math.floor(((next() + 1) / 2) * count);
  const { used } = attention.memory;
  const cache = createCache(attention, {
    keyValueHeads: H,
    headSize: D,
    pageSize: 16,
    sequences: 0,
  });
  const index = new PrefixIndex(cache, { maximumBytes: 2 ** 16 });
  const token = rows(1, 1);
  let reserved = 0;
  for (let round = 0; round < 4; round++) {
    for (let talk = 0; talk < 50; talk++) {
      const tokens = Array.from({ length: 20 + below(60) }, (_, i) => (i < 16 ? i : below(9)));
      const { sequence, length } = index.begin(tokens);
      const rest = tokens.length - length;
      cache.append(rows(rest, talk + 1), rows(rest, talk + 2), { sequences: [sequence] });
      index.add(sequence, tokens);
      const fork = cache.fork(sequence);
      for (let step = 0; step < 50; step++) {
        const sequences = [step & 1 ? fork : sequence];
        cache.append(token, token, { sequences });
        cache.attend(token, { sequences });
        if (below(10) === 0) cache.truncate(fork, cache.length(fork) - below(5));
      }
      cache.release(sequence);
      cache.release(fork);
    }
    index.clear();
    assert.equal(cache.memory.pages, 0);
    if (round) assert.equal(attention.memory.reserved, reserved);
    reserved = attention.memory.reserved;
  }
  cache.dispose();
  assert.equal(attention.memory.used, used);
});
