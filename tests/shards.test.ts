// Attention over shards has the bits of one attend over all keys: any number of them, any options, tensors,
// caches and files, both builds, threads or none.

import assert from "node:assert/strict";
import { mkdtempSync, openAsBlob, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Tensor } from "wasm-attention";
import { type AttentionCache, createCache } from "wasm-attention/cache";
import {
  attendSharded,
  type FileShard,
  fileShard,
  localShard,
  mergeSpans,
  ShardError,
} from "wasm-attention/shards";
import { CASES, type Case, check, inputs, KEYS, part, SPAN, same, starts } from "./checks/shards";
import { engine, randomTensor, variants } from "./engines";
import { safetensors } from "./weight-files";

for (const variant of variants) {
  for (const [name, drawn] of Object.entries(CASES)) {
    test(`${name}: 1, 2, 3 and 5 shards have the bits of one attend, ${variant}`, async () => {
      using attention = await engine(variant);
      await check(attention, drawn, [1, 2, 3, 5], (key, value) =>
        localShard(attention, { key, value }),
      );
    });
  }

  test(`threads, on engines of their own, ${variant}`, async () => {
    using attention = await engine(variant);
    using other = await engine(variant, { threads: 2 });
    assert.equal(other.threads, 2, other.threadsFallback);
    for (const queries of [1, 9, 70]) {
      const drawn = {
        queries,
        sizes: [64, 64] as const,
        options: { causal: "lower-right" as const },
      };
      await check(attention, drawn, [1, 2, 5], (key, value) => localShard(other, { key, value }));
    }
  });
}

for (const numbers of ["float32", "int8", "int4"] as const) {
  for (const variant of variants) {
    test(`caches of ${numbers}, 1, 2, 3 and 5, of two sequences of other lengths, ${variant}`, async () => {
      using attention = await engine(variant);
      const { query, key, value } = inputs({ batch: 2, queries: 2, sizes: [32, 32] });
      const sizes = { keyValueHeads: 2, headSize: 32, sequences: 2, numbers };
      const lengths = [KEYS, 2 * SPAN + 700];
      const fill = (from: number, to: number) => {
        const cache = createCache(attention, sizes);
        const own = lengths.map((length) => Math.min(Math.max(length - from, 0), to - from));
        cache.append(part(key, from, to), part(value, from, to), { lengths: own });
        return cache;
      };
      using whole = fill(0, KEYS);
      for (const options of [
        { causal: "lower-right" },
        { causal: false, sinks: [0.5, -Infinity, 3, 0] },
        { causal: true, queryOffset: [2 * SPAN + 3, SPAN], window: { left: SPAN + 200 } },
      ] as const) {
        const want = whole.attend(query, { ...options, logSumExp: true });
        for (const count of [1, 2, 3, 5]) {
          const at = starts(KEYS, count);
          const caches = at.slice(1).map((to, i) => fill(at[i] as number, to));
          const shards = caches.map((cache) => localShard(attention, { cache }));
          same(await attendSharded(attention, query, shards, options), want);
          for (const cache of caches) cache.dispose();
        }
      }
      // Fewer keys than there are, and sequences in another order.
      const keyLengths = [SPAN + 9, 2 * SPAN + 700];
      const swapped = localShard(attention, { cache: whole, sequences: [1, 0] });
      const [some, all] = [keyLengths.toReversed(), part(query, 0, 2)];
      const got = await attendSharded(attention, query, [swapped], { keyLengths: some });
      using cut = createCache(attention, sizes);
      cut.append(part(key, 0, KEYS), part(value, 0, KEYS), { lengths: keyLengths });
      const want = cut.attend(all, { causal: false, logSumExp: true, sequences: [1, 0] });
      same(got, want);
    });
  }
}

test("a cache's shard refuses more keys than a sequence has", async () => {
  using attention = await engine("portable");
  const [key, value, query] = [32, 33, 34].map((seed) => randomTensor([2, 1, 200, 8], seed)) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  using tokens = createCache(attention, { keyValueHeads: 1, headSize: 8, sequences: 2 });
  tokens.append(key, value, { lengths: [10, 200] });
  const shard = localShard(attention, { cache: tokens });
  const ask = (keyLengths: number[]) =>
    shard.attend(part(query, 0, 1), {
      ...{ spans: { from: 0, to: 1 }, scale: 1, causal: false, masks: [], keyLengths },
      ...{ queryOffset: [0, 0], queryLengths: [1, 1] },
    });
  await assert.rejects(
    async () => ask([11, 200]),
    /"keyLengths\[0\]" expected at most the 10 keys that there are, got 11/,
  );
  const [state] = await ask([10, 200]);
  assert.equal(state?.length, 2 * 10);
});

/** A file of keys and values in `dtype`; gives its path. */
function fileOf(folder: string, key: Tensor, value: Tensor, name: string): string {
  const written = ({ data, dims }: Tensor) => ({
    dtype: "F32",
    shape: dims,
    bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
  const path = join(folder, name);
  writeFileSync(path, safetensors({ key: written(key), value: written(value) }));
  return path;
}

test("files, by path, address and Blob, beside tensors", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shards-"));
  try {
    for (const variant of variants) {
      using attention = await engine(variant);
      let made = 0;
      for (const name of ["causal, the last queries", "masks, one of them shorter", "ragged"]) {
        const drawn = CASES[name] as Case;
        const files: FileShard[] = [];
        await check(attention, drawn, [1, 3], async (key, value) => {
          const path = fileOf(folder, key, value, `${variant}-${made++}.safetensors`);
          files.push(await fileShard(attention, made % 2 ? path : pathToFileURL(path).href));
          return files.at(-1) as FileShard;
        });
        for (const file of files) await file.close();
      }
      const { query, key, value } = inputs({});
      const want = attention.attend(query, key, value, { logSumExp: true });
      const bytes = fileOf(folder, part(key, 0, SPAN), part(value, 0, SPAN), "first");
      const shards = [
        await fileShard(attention, await openAsBlob(bytes)),
        localShard(attention, { key: part(key, SPAN, KEYS), value: part(value, SPAN, KEYS) }),
      ];
      same(await attendSharded(attention, query, shards), want);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a file's memory is that of a span, whatever its size", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shards-"));
  try {
    using attention = await engine("portable", { maximumMemory: 8 * 2 ** 20 });
    const [key, value] = [2, 3].map((seed) => randomTensor([1, 1, 24 * SPAN, 64], seed));
    const path = fileOf(folder, key as Tensor, value as Tensor, "large");
    const query = randomTensor([1, 1, 1, 64], 1);
    assert.throws(() => attention.attend(query, key as Tensor, value as Tensor), /MemoryError/);
    const shard = await fileShard(attention, path);
    const got = await attendSharded(attention, query, [shard]);
    await shard.close();
    using large = await engine("portable");
    same(got, large.attend(query, key as Tensor, value as Tensor, { logSumExp: true }));
    await assert.rejects(attendSharded(attention, query, [shard]), ShardError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a file that is none, or shorter than it was, is an error that says so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shards-"));
  try {
    using attention = await engine("portable");
    const { query, key, value } = inputs({ keys: SPAN + 300 });
    const path = fileOf(folder, key, value, "text.safetensors");
    const { size } = statSync(path);
    const { used } = attention.memory;
    const shard = await fileShard(attention, path);
    truncateSync(path, size - 1000);
    await assert.rejects(attendSharded(attention, query, [shard]), (error: Error) => {
      assert(error instanceof ShardError);
      assert.match(error.message, /shards\[0\].* expected 28800 bytes from \d+ on, got 27800/);
      return true;
    });
    await shard.close();
    await shard.close();
    await assert.rejects(
      fileShard(attention, path),
      /"value" expected bytes of its own in the file/,
    );
    truncateSync(path, 4);
    const short = /"source" expected at least 10 bytes, got 4, no file of this kind/;
    await assert.rejects(fileShard(attention, path), short);
    const none = /fileShard: "source" expected a file that can be opened, got Error: a folder/;
    await assert.rejects(fileShard(attention, folder), none);
    assert.equal(attention.memory.used, used);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a cache that is changed while it is asked answers as it was", async () => {
  using attention = await engine("portable");
  const { query, key, value } = inputs({ keys: SPAN + 300 });
  const want = attention.attend(query, key, value, { logSumExp: true });
  for (const change of [
    (tokens: AttentionCache) => tokens.append(part(key, 0, 5), part(value, 0, 5)),
    (tokens: AttentionCache) => tokens.truncate(0, 10),
    (tokens: AttentionCache) => {
      tokens.truncate(0, 5);
      tokens.append(part(key, 9, 900), part(value, 9, 900));
    },
    (tokens: AttentionCache) => tokens.release(0),
    (tokens: AttentionCache) => tokens.dispose(),
  ]) {
    const { used } = attention.memory;
    const tokens = createCache(attention, { keyValueHeads: 2, headSize: 16, valueSize: 24 });
    tokens.append(key, value);
    const call = attendSharded(attention, query, [localShard(attention, { cache: tokens })]);
    change(tokens);
    same(await call, want);
    tokens.dispose();
    assert.equal(attention.memory.used, used);
  }
});

test("layouts of query, key and value are each their own", async () => {
  using attention = await engine("portable");
  const [heads, size, L] = [4, 16, 5];
  const query = randomTensor([1, L, heads * size], 1);
  const key = randomTensor([1, KEYS, 2 * size], 2);
  const value = randomTensor([1, KEYS, 2 * size], 3);
  const options = { layout: "BLE", heads, causal: "lower-right" } as const;
  const want = attention.attend(query, key, value, {
    ...options,
    keyValueHeads: 2,
    logSumExp: true,
  });
  const ble = localShard(attention, { key, value, layout: "BLE", keyValueHeads: 2 });
  same(await attendSharded(attention, query, [ble], options), want);
  const shape = [1, KEYS, 2, size];
  const [k, v] = [key, value].map(({ data }) => ({ data, dims: shape })) as Tensor[] as [
    Tensor,
    Tensor,
  ];
  const blhd = localShard(attention, { key: k, value: v, layout: "BLHD" });
  const got = await attendSharded(
    attention,
    { data: query.data, dims: [1, L, heads, size] },
    [blhd],
    { layout: "BLHD", causal: "lower-right" },
  );
  assert.deepEqual(got.output.dims, [1, L, heads, size]);
  same({ ...got, output: { data: got.output.data, dims: want.output.dims } }, want);
  // Without batch and heads, into memory that is there.
  const flat = { data: key.data, dims: [KEYS * 2, size] };
  const one = { data: query.data, dims: [L * heads, size] };
  const out = attention.allocate([L * heads, size]);
  const only = localShard(attention, { key: flat, value: { ...flat, data: value.data } });
  const placed = await attendSharded(attention, one, [only], { out });
  assert.equal(placed.output, out);
  const { output, logSumExp } = placed;
  const plain = { data: value.data, dims: flat.dims };
  const direct = attention.attend(one, flat, plain, { logSumExp: true });
  same({ output: { data: output.data.slice(), dims: output.dims }, logSumExp }, direct);
});

test("mergeSpans: the states of a shard, by hand", async () => {
  for (const variant of variants) {
    using attention = await engine(variant);
    const { query, key, value } = inputs({});
    const want = attention.attend(query, key, value, { logSumExp: true });
    const shard = localShard(attention, { key, value });
    const states = await shard.attend(query, {
      spans: { from: 0, to: 5 },
      scale: 1 / 4,
      causal: false,
      queryOffset: [0],
      queryLengths: [3],
      keyLengths: [KEYS],
      masks: [],
    });
    const dims = want.output.dims;
    same(mergeSpans(attention, states, { dims }), want);
    // −0 is merged to 0 where there are more spans, as one call does.
    const one = new Float32Array(10).fill(-0, 0, 8);
    one.set([0, 1], 8);
    const merged = (keys?: number) =>
      mergeSpans(attention, [one], { dims: [1, 1, 1, 8], keys }).output.data[0] as number;
    assert(Object.is(merged(), -0) && Object.is(merged(SPAN), -0));
    assert(Object.is(merged(SPAN + 1), 0));
  }
});
