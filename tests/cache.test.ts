// Caches: the bits of one attend over all tokens, however they came; memory by pages.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Tensor, tensor } from "wasm-attention";
import { createCache, PrefixIndex } from "wasm-attention/cache";
import { rotate } from "wasm-attention/positions";
import {
  cacheProblems,
  checkCache,
  checkCacheFailing,
  checkCacheLater,
  same,
} from "./checks/cache";
import { failureOf, holds } from "./checks/property";
import { createWhole, engine, randomArray, variants } from "./engines";
import { failing } from "./failing";

/** [1, heads, tokens, size] */
const rows = (heads: number, tokens: number, size: number, seed: number) =>
  tensor(randomArray(heads * tokens * size, seed), [1, heads, tokens, size]);

/** Tokens [from, to). */
function part({ data, dims }: Tensor, from: number, to: number): Tensor {
  const [, heads, T, size] = dims as [number, number, number, number];
  const some = new Float32Array(heads * (to - from) * size);
  for (let h = 0; h < heads; h++) {
    const piece = data.subarray((h * T + from) * size, (h * T + to) * size);
    some.set(piece, h * (to - from) * size);
  }
  return tensor(some, [1, heads, to - from, size]);
}

for (const variant of variants) {
  test(`random histories, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(cacheProblems, (drawn) => checkCache(attention, drawn), 150);
  });

  test(`random histories while attends are in flight, ${variant}`, async () => {
    const attention = await engine(variant);
    const property = fc.asyncProperty(cacheProblems, (drawn) => checkCacheLater(attention, drawn));
    const seed = Number(process.env.SEED ?? 20261126);
    assert.equal(await failureOf(property, seed, Number(process.env.RUNS ?? 40)), undefined);
  });

  test(`random histories with every allocation failing in turn, ${variant}`, async () => {
    const attention = await engine(variant);
    const allocations = await failing();
    const check = (drawn: Parameters<typeof checkCache>[1]) =>
      checkCacheFailing(attention, drawn, allocations);
    holds(cacheProblems, check, 25);
  });

  test(`prompts in pieces, pages of every size, long texts: ${variant}`, async () => {
    const attention = await engine(variant);
    const [heads, shared, size, S] = [4, 2, 64, 4500];
    const [q, k, v] = [rows(heads, S, size, 1), rows(shared, S, size, 2), rows(shared, S, size, 3)];
    const want = attention.attend(q, k, v, { causal: true }).output;
    for (const pageSize of [16, 128, 200, 256]) {
      using cache = createCache(attention, { keyValueHeads: shared, headSize: size, pageSize });
      let from = 0;
      for (const L of [4100, 1, 64, 65, 1, 200, 69]) {
        cache.append(part(k, from, from + L), part(v, from, from + L));
        const { output } = cache.attend(part(q, from, from + L));
        same(output.data, part(want, from, from + L).data, `page ${pageSize}, from ${from}`);
        from += L;
      }
      assert.equal(cache.memory.pages, Math.ceil(S / pageSize));
    }
  });
}

test("threads and asynchronous calls: the same bits, of the tokens there were when they were made", async () => {
  const [one, two] = [
    await engine("portable"),
    await createWhole({ reproducible: true, threads: 2 }),
  ];
  assert.equal(two.threads, 2, two.threadsFallback);
  const [H, Hkv, D, S] = [6, 2, 64, 9000];
  const [k, v] = [rows(Hkv, S, D, 1), rows(Hkv, S, D, 2)];
  for (const [L, pageSize] of [
    [1, 128],
    [1, 100],
    [7, 256],
    [70, 48],
  ] as const) {
    const q = rows(H, L, D, L);
    const want = one.attend(q, k, v, { causal: "lower-right" }).output.data;
    for (const attention of [one, two]) {
      using cache = createCache(attention, { keyValueHeads: Hkv, headSize: D, pageSize });
      cache.append(k, v);
      same(cache.attend(q).output.data, want, `${L} of ${attention.threads} threads`);
      const later = cache.attendAsync(q);
      // Other tokens in the same rows, and then none.
      cache.truncate(0, 8000);
      cache.append(v, k);
      cache.release(0);
      same((await later).output.data, want, `${L} later, ${attention.threads} threads`);
    }
  }
  one.dispose();
  two.dispose();
});

test("rotary embeddings: keys and queries at the positions of their tokens", async () => {
  const attention = await engine("portable");
  const [H, Hkv, D, S] = [4, 2, 16, 300];
  const [q, k, v] = [rows(H, S, D, 1), rows(Hkv, S, D, 2), rows(Hkv, S, D, 3)];
  const rotary = { pairing: "interleaved", base: 5000, dimensions: 12 } as const;
  const at = (x: Tensor, positions: number) => rotate(attention, x, { ...rotary, positions });
  const want = attention.attend(at(q, 0), at(k, 0), v, { causal: true }).output;
  using cache = createCache(attention, { keyValueHeads: Hkv, headSize: D, rotary });
  for (let from = 0; from < S; from += 75) {
    cache.append(part(k, from, from + 75), part(v, from, from + 75));
    const { output } = cache.attend(part(q, from, from + 75));
    same(output.data, part(want, from, from + 75).data, `from ${from}`);
  }
  // The first of some queries by its index, and positions of their own.
  const { output } = cache.attend(part(q, 100, 120), { queryOffset: 100 });
  same(output.data, part(want, 100, 120).data, "queryOffset");
  const moved = createCache(attention, { keyValueHeads: Hkv, headSize: D, rotary });
  moved.append(part(k, 0, 100), part(v, 0, 100), { positions: 7 });
  moved.append(part(k, 100, 200), part(v, 100, 200));
  const far = attention.attend(
    at(part(q, 190, 200), 197),
    at(part(k, 0, 200), 7),
    part(v, 0, 200),
    {
      causal: "lower-right",
    },
  );
  same(moved.attend(part(q, 190, 200)).output.data, far.output.data, "positions from 7");
  moved.dispose();
  assert.throws(() => cache.append(k, v, { positions: [0.5] }), { argument: "positions" });
  const plain = createCache(attention, { keyValueHeads: Hkv, headSize: D });
  assert.throws(() => plain.append(k, v, { positions: 1 }), { argument: "positions" });
  plain.dispose();
});

test("shift: the tokens after those that are dropped, rotated back", async () => {
  const attention = await engine("portable");
  const [H, D, S] = [2, 16, 300];
  const [q, k, v] = [rows(H, 3, D, 1), rows(H, S, D, 2), rows(H, S, D, 3)];
  const join = (a: Tensor, b: Tensor) => {
    const T = (a.dims[2] as number) + (b.dims[2] as number);
    const data = Array.from({ length: H }, (_, h) =>
      [a, b].flatMap(({ data, dims: [, , n] }) => [
        ...data.subarray(h * (n as number) * D, (h + 1) * (n as number) * D),
      ]),
    ).flat();
    return tensor(Float32Array.from(data), [1, H, T, D]);
  };
  for (const [keep, drop] of [
    [0, 128],
    [4, 1],
    [130, 50],
    [0, 300],
    [5, 0],
  ] as const) {
    const kept = (x: Tensor) => join(part(x, 0, keep), part(x, keep + drop, S));
    // Without rotary embeddings tokens move and stay the same.
    using plain = createCache(attention, { keyValueHeads: H, headSize: D });
    plain.append(k, v);
    const fork = plain.fork();
    plain.shift(0, { keep, drop });
    assert.equal(plain.length(), S - drop);
    same(plain.read().key.data, kept(k).data, `keys, ${keep} ${drop}`);
    same(plain.read().value.data, kept(v).data, `values, ${keep} ${drop}`);
    same(plain.read(fork).key.data, k.data, "the fork");
    // With them, as if those dropped had never been, but for the rounding of two rotations.
    const rotary = { base: 10000 };
    using turned = createCache(attention, { keyValueHeads: H, headSize: D, rotary });
    turned.append(k, v);
    turned.shift(0, { keep, drop });
    using fresh = createCache(attention, { keyValueHeads: H, headSize: D, rotary });
    fresh.append(kept(k), kept(v));
    if (drop === S) continue;
    const [got, want] = [turned.attend(q).output.data, fresh.attend(q).output.data];
    for (const [i, x] of want.entries())
      assert.ok(Math.abs((got[i] as number) - x) < 2e-6, `${keep} ${drop}`);
  }
});

test("export and import: the same tokens in a cache of other pages, damage is seen", async () => {
  const [attention, elsewhere] = [await engine("portable"), await engine("relaxed")];
  const [H, D, S] = [2, 8, 300];
  const [q, k, v] = [rows(H, 1, D, 1), rows(H, S, D, 2), rows(H, S, D, 3)];
  for (const [window, sinks] of [
    [undefined, 0],
    [40, 0],
    [40, 5],
  ] as const) {
    const sizes = { keyValueHeads: H, headSize: D, window, sinks };
    using cache = createCache(attention, { ...sizes, pageSize: 16 });
    cache.append(part(k, 0, 280), part(v, 0, 280));
    cache.append(part(k, 280, S), part(v, 280, S));
    const bytes = cache.export();
    const want = cache.attend(q).output.data;
    using other = createCache(attention, { ...sizes, pageSize: 128, sequences: 0 });
    const id = other.import(bytes);
    assert.equal(other.length(id), S);
    same(other.attend(q).output.data, want, `imported, window ${window}`);
    assert.ok(Buffer.from(other.export(id)).equals(bytes), "exported again");
    const copy = cache.copyTo(other);
    same(other.attend(q, { sequences: [copy] }).output.data, want, `copied, window ${window}`);
    // Both go on alike.
    cache.append(q, q);
    other.append(q, q, { sequences: [id] });
    same(other.attend(q, { sequences: [id] }).output.data, cache.attend(q).output.data, "gone on");
    using there = createCache(elsewhere, { ...sizes, pageSize: 7 });
    assert.equal(there.length(cache.copyTo(there)), S + 1);

    const { pages } = other.memory;
    for (let at = 0; at < bytes.length; at += at < 70 ? 1 : 997) {
      const damaged = bytes.slice();
      damaged[at]! ^= 4;
      assert.throws(() => other.import(damaged), { argument: "bytes" }, `byte ${at}`);
    }
    for (const length of [0, 63, bytes.length - 4, bytes.length - 1]) {
      assert.throws(() => other.import(bytes.slice(0, length)), { argument: "bytes" });
    }
    assert.throws(() => other.import([...bytes] as never), { argument: "bytes" });
    assert.equal(other.memory.pages, pages);
    if (window) {
      using whole = createCache(attention, { keyValueHeads: H, headSize: D });
      assert.throws(() => whole.import(bytes), { argument: "window" });
    }
  }
  using wider = createCache(attention, { keyValueHeads: H, headSize: D + 1 });
  using narrow = createCache(attention, { keyValueHeads: H, headSize: D });
  assert.throws(
    () => wider.import(narrow.export()),
    /headSize = 9, as the cache has, got headSize = 8/,
  );
});

test("prefixes: a second question on the same document starts where it differs", async () => {
  const attention = await engine("portable");
  const [H, D, pageSize] = [2, 8, 16];
  const { used } = attention.memory;
  const cache = createCache(attention, { keyValueHeads: H, headSize: D, pageSize, sequences: 0 });
  const pageBytes = H * pageSize * 2 * D * 4;
  const index = new PrefixIndex(cache, { maximumBytes: 8 * pageBytes });
  const document = Array.from({ length: 100 }, (_, i) => i * 7);
  const write = (tokens: number[], salt?: string) => {
    const { sequence, length } = index.begin(tokens, { salt });
    const rest = tokens.slice(length);
    const of = (seed: number) => {
      const data = Float32Array.from({ length: H * rest.length * D }, (_, i) =>
        Math.sin(seed + (rest[Math.floor(i / D) % rest.length] as number) + (i % D)),
      );
      return tensor(data, [1, H, rest.length, D]);
    };
    cache.append(of(1), of(2), { sequences: [sequence] });
    index.add(sequence, tokens, { salt });
    return { sequence, length };
  };
  const first = write([...document, 1, 2]);
  const second = write([...document, 3]);
  assert.deepEqual([first.length, second.length], [0, 96]);
  const whole = (sequence: number) => cache.read(sequence, { to: 100 });
  same(whole(second.sequence).key.data, whole(first.sequence).key.data, "shared");
  // Never all of them, however often they were there.
  assert.equal(index.begin(document.slice(0, 96)).length, 80);
  // Another tenant's take the place of those not used for longest, tails first: 2 of 6 are left.
  assert.equal(write([...document, 3], "other").length, 0);
  assert.equal(index.begin([...document, 3], { salt: "other" }).length, 96);
  assert.equal(index.begin(document).length, 32);
  const { pages, bytes, found, dropped } = index.counts;
  assert.deepEqual({ pages, bytes, dropped }, { pages: 8, bytes: 8 * pageBytes, dropped: 4 });
  assert.equal(found, 96 + 80 + 96 + 32);
  assert.throws(() => index.begin([0.5]), { argument: "tokens[0]" });
  index.dispose();
  cache.dispose();
  assert.equal(attention.memory.used, used);
  assert.throws(() => index.begin(document), { name: "DisposedError" });
});
