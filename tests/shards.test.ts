// Attention over shards has the bits of one attend over all keys: any number of them, any options, tensors,
// caches and files, both builds, threads or none.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { AttendOptions, Tensor } from "wasm-attention";
import { createCache } from "wasm-attention/cache";
import {
  attendSharded,
  fileShard,
  localShard,
  mergeSpans,
  type Shard,
  ShardError,
  type ShardedOptions,
} from "wasm-attention/shards";
import { bitsOf, engine, randomArray, randomTensor, variants, type Whole } from "./engines";
import { safetensors } from "./weight-files";

/** As in assembly/tiles.ts. */
const SPAN = 4096;

/** Keys [from, to) of [B, H, S, D]. */
function part({ data, dims }: Tensor, from: number, to: number): Tensor {
  const [batch, heads, rows, size] = dims as [number, number, number, number];
  const some = new Float32Array(batch * heads * (to - from) * size);
  for (let h = 0; h < batch * heads; h++) {
    const piece = data.subarray((h * rows + from) * size, (h * rows + to) * size);
    some.set(piece, h * (to - from) * size);
  }
  return { data: some, dims: [batch, heads, to - from, size] };
}

/** So many shards' first keys, whole spans as even as they can be. */
function starts(keys: number, count: number): number[] {
  const spans = Math.ceil(keys / SPAN);
  return Array.from({ length: count + 1 }, (_, i) =>
    i === count ? keys : Math.floor((i * spans) / count) * SPAN,
  );
}

type Make = (key: Tensor, value: Tensor) => Shard | Promise<Shard>;

async function shardsOf(key: Tensor, value: Tensor, count: number, make: Make): Promise<Shard[]> {
  const at = starts(key.dims[2] as number, count);
  const shards: Shard[] = [];
  for (let i = 0; i < count; i++) {
    const [from, to] = [at[i] as number, at[i + 1] as number];
    shards.push(await make(part(key, from, to), part(value, from, to)));
  }
  return shards;
}

interface Case {
  readonly options?: Omit<ShardedOptions, "signal">;
  readonly keys?: number;
  readonly batch?: number;
  readonly queries?: number;
  readonly sizes?: readonly [number, number];
}

const KEYS = 4 * SPAN + 517;
/** Masks of one byte a key, and of one number for each head, query and key. */
const bytes = Uint8Array.from({ length: KEYS }, (_, i) =>
  i % 7 && i < 2 * SPAN ? 1 : i % 3 ? 1 : 0,
);

const CASES: Record<string, Case> = {
  plain: {},
  "one query": { queries: 1 },
  "more queries than a tile": { queries: 70 },
  "sizes that are no multiple of four": { sizes: [13, 7] },
  causal: { options: { causal: true, queryOffset: 3 * SPAN - 2 } },
  "causal, the last queries": { options: { causal: "lower-right" } },
  "causal, the first queries": { options: { causal: true } },
  window: { options: { causal: true, queryOffset: 3 * SPAN + 4, window: { left: 100 } } },
  "a window over a border": { options: { queryOffset: SPAN, window: { left: 300, right: 9 } } },
  "a window of no key": { options: { queryOffset: 9 * SPAN, window: { left: 3, right: 9 } } },
  ragged: {
    batch: 3,
    options: { keyLengths: [KEYS, SPAN + 5, 0], queryLengths: [3, 1, 2], causal: "lower-right" },
  },
  "sinks once": { options: { sinks: [0.5, -Infinity, 3, 0] } },
  "sinks where the first span is not seen": {
    options: {
      sinks: [0.5, -Infinity, 3, 0],
      queryOffset: 3 * SPAN,
      window: { left: 30 },
      queryLengths: [2],
    },
  },
  "sinks where nothing is seen": {
    options: { sinks: [0.5, -Infinity, 3, 0], queryOffset: 9 * SPAN, window: { left: 3 } },
  },
  softcap: { options: { softcap: 2, scale: 3 } },
  alibi: { options: { alibi: { slopes: [0.5, 0.25, 0.125, 0.01] }, causal: "lower-right" } },
  "alibi, signed, of each batch": {
    batch: 2,
    options: { alibi: { slopes: [1e-3, 2e-3, 0, 1e-4, 5e-4, 0, 0, 1e-3], distance: "signed" } },
  },
  "a mask of keys": { options: { mask: { data: bytes, dims: [KEYS] } } },
  "masks, one of them shorter": {
    options: {
      mask: [
        { data: bytes, dims: [1, 1, 1, KEYS] },
        { data: randomArray(4 * 3 * KEYS, 8), dims: [1, 4, 3, KEYS] },
        { data: bytes.slice(0, 2 * SPAN + 9), dims: [2 * SPAN + 9], shorter: true },
        { data: randomArray(12, 9), dims: [4, 3, 1] },
      ],
    },
  },
  "one span": { keys: 900 },
  "one whole span": { keys: SPAN },
  "an additive mask of infinities, NaN behind it": {
    options: {
      mask: {
        data: Float32Array.from(bytes, (take) => (take ? 0 : -Infinity)),
        dims: [KEYS],
      },
    },
  },
};

/** Query, key and value; NaN and Infinity are hidden behind the masks of one byte a key. */
function inputs({ keys = KEYS, batch = 1, queries = 3, sizes = [16, 24], options }: Case) {
  const [size, valueSize] = sizes;
  const query = randomTensor([batch, 4, queries, size], 1, 4);
  const key = randomTensor([batch, 2, keys, size], 2);
  const value = randomTensor([batch, 2, keys, valueSize], 3);
  if (options?.mask) {
    value.data[7 * valueSize] = Number.NaN;
    key.data[21 * size] = Infinity;
  }
  return { query, key, value };
}

const same = (got: { output: Tensor; logSumExp: Tensor }, want: object) =>
  assert.deepEqual(
    bitsOf({ output: got.output, logSumExp: got.logSumExp }).sort(),
    bitsOf(want).sort(),
  );

async function check(attention: Whole, drawn: Case, counts: readonly number[], make: Make) {
  const { query, key, value } = inputs(drawn);
  const options = { ...drawn.options, logSumExp: true } as AttendOptions & { logSumExp: true };
  const want = attention.attend(query, key, value, options);
  for (const count of counts) {
    if (count > Math.ceil((key.dims[2] as number) / SPAN)) continue;
    const shards = await shardsOf(key, value, count, make);
    const got = await attendSharded(attention, query, shards, drawn.options);
    assert.deepEqual(got.missing, []);
    same(got, want);
  }
}

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
      const [some, all] = [keyLengths.toReversed(), [0, 1].map((b) => part(query, 0, 2))];
      const got = await attendSharded(attention, query, [swapped], { keyLengths: some });
      using cut = createCache(attention, sizes);
      cut.append(part(key, 0, KEYS), part(value, 0, KEYS), { lengths: keyLengths });
      const want = cut.attend(all[0] as Tensor, {
        causal: false,
        logSumExp: true,
        sequences: [1, 0],
      });
      same(got, want);
    });
  }
}

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
        await check(attention, drawn, [1, 3], async (key, value) => {
          const path = fileOf(folder, key, value, `${variant}-${made++}.safetensors`);
          const file = await fileShard(attention, made % 2 ? path : pathToFileURL(path).href);
          // Closed once it has been asked.
          return { ...file, attend: (...asked) => Promise.resolve(file.attend(...asked)) };
        });
      }
      const { query, key, value } = inputs({});
      const want = attention.attend(query, key, value, { logSumExp: true });
      const bytes = fileOf(folder, part(key, 0, SPAN), part(value, 0, SPAN), "first");
      const { openAsBlob } = await import("node:fs");
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

/** A shard that does as it is told beside one that answers. */
async function beside(attention: Whole, attend: Shard["attend"]) {
  const { query, key, value } = inputs({});
  const first = localShard(attention, { key: part(key, 0, SPAN), value: part(value, 0, SPAN) });
  const rest = localShard(attention, {
    key: part(key, SPAN, KEYS),
    value: part(value, SPAN, KEYS),
  });
  return { query, key, value, first, shards: [first, { ...rest, attend }] };
}

test("a shard that fails or answers something else is named", async () => {
  using attention = await engine("portable");
  const { used } = attention.memory;
  const state = new Float32Array(4 * 3 * 26);
  for (const [attend, received] of [
    [() => Promise.reject(new TypeError("gone")), "TypeError: gone"],
    [
      () => {
        throw new RangeError("at once");
      },
      "RangeError: at once",
    ],
    [() => Promise.reject(7), "7"],
    [() => [], "[]"],
    [
      () => [state, state, state],
      "[Float32Array of 312, Float32Array of 312, Float32Array of 312]",
    ],
    [() => [state, state, state, state.subarray(1)], "Float32Array of 311"],
    [() => [state, state, state, new Float64Array(312)], "Float64Array of 312"],
    [() => undefined as never, "undefined"],
  ] as [Shard["attend"], string][]) {
    const { query, shards } = await beside(attention, attend);
    await assert.rejects(attendSharded(attention, query, shards), (error: Error) => {
      assert(error instanceof ShardError);
      const expected = "the states of keys 4096 to 16901";
      assert.equal(
        error.message,
        `attendSharded: "shards[1]" expected ${expected}, got ${received}`,
      );
      return true;
    });
    const { missing } = await attendSharded(attention, query, shards, { allowMissing: true });
    assert.deepEqual(
      missing.map(({ shard, from, to }) => [shard, from, to]),
      [[1, SPAN, KEYS]],
    );
  }
  assert.equal(attention.memory.used, used);
});

test("with allowMissing the others' keys alone take part, sinks once", async () => {
  using attention = await engine("portable");
  const { query, key, value, shards } = await beside(attention, () => Promise.reject(Error("x")));
  const sinks = [0.5, -Infinity, 3, 0];
  const options = { sinks, allowMissing: true };
  const got = await attendSharded(attention, query, shards, options);
  const close = (got: Tensor, want: Tensor) =>
    got.data.forEach((x, i) => assert(Math.abs(x - (want.data[i] as number)) < 1e-5));
  const part0 = attention.attend(query, part(key, 0, SPAN), part(value, 0, SPAN), {
    sinks,
    logSumExp: true,
  });
  close(got.output, part0.output);
  close(got.logSumExp, part0.logSumExp);
  // Where the first one is missing.
  const [first, second] = await shardsOf(key, value, 2, (k, v) =>
    localShard(attention, { key: k, value: v }),
  );
  const gone = { ...(first as Shard), attend: () => Promise.reject(Error("x")) };
  const rest = await attendSharded(attention, query, [gone, second as Shard], options);
  const from = (first as Shard).keys as number;
  const want = attention.attend(query, part(key, from, KEYS), part(value, from, KEYS), {
    sinks,
    logSumExp: true,
  });
  close(rest.output, want.output);
  close(rest.logSumExp, want.logSumExp);
});

test("an abort ends the call at once, whether a shard listens or not", async () => {
  using attention = await engine("portable");
  let told = 0;
  const { query, shards } = await beside(attention, (_query, _options, signal) => {
    signal?.addEventListener("abort", () => told++);
    return new Promise(() => undefined);
  });
  const controller = new AbortController();
  const call = attendSharded(attention, query, shards, { signal: controller.signal });
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 5);
  await assert.rejects(call, (error) => error === reason);
  assert.equal(told, 1);
  const again = attendSharded(attention, query, shards, { signal: controller.signal });
  await assert.rejects(again, (error) => error === reason);
  // One that fails tells the others.
  const failing = { ...(shards[0] as Shard), attend: () => Promise.reject(Error("x")) };
  await assert.rejects(attendSharded(attention, query, [failing, shards[1] as Shard]), ShardError);
  assert.equal(told, 2);
});

test("shards that no row sees are not asked, and late answers change nothing", async () => {
  using attention = await engine("portable");
  const { query, key, value } = inputs({});
  const asked: number[] = [];
  const shards = (
    await shardsOf(key, value, 5, (k, v) => localShard(attention, { key: k, value: v }))
  ).map((shard, i) => ({
    ...shard,
    attend: async (...given: Parameters<Shard["attend"]>) => {
      asked.push(i);
      // The first comes last.
      await new Promise((resolve) => setTimeout(resolve, 20 - 4 * i));
      return shard.attend(...given);
    },
  }));
  const options = { causal: true, queryOffset: 2 * SPAN + 50, window: { left: SPAN } } as const;
  const got = await attendSharded(attention, query, shards, options);
  assert.deepEqual(asked, [1, 2]);
  same(got, attention.attend(query, key, value, { ...options, logSumExp: true }));
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
