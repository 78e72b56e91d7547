// Cross-attention whose keys are projected once: the bits of projecting them for every call.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MultiHeadAttention, type Tensor, tensor } from "wasm-attention";
import { type CacheNumbers, createCache } from "wasm-attention/cache";
import { same } from "./checks/cache";
import { bitsOf, engine, randomArray, randomTensor } from "./engines";

const [B, S, H, KV, D, E, EK] = [3, 37, 4, 2, 8, 20, 14];
const lengths = [37, 5, 16];

const matrix = (inputs: number, outputs: number, seed: number) => ({
  weight: randomTensor([inputs, outputs], seed, 0.3),
  order: "in,out" as const,
  bias: randomArray(outputs, seed + 10),
});
const weights = {
  query: matrix(E, H * D, 1),
  key: matrix(EK, KV * D, 2),
  value: matrix(EK, KV * D, 3),
  output: matrix(H * D, E, 4),
};
const source = randomTensor([B, S, EK], 5);
const sizes = { keyValueHeads: KV, headSize: D, cross: true } as const;
const rowsOf = ({ data, dims: [, length, size] }: Tensor, rows: readonly number[]) =>
  tensor(
    Float32Array.from(
      rows.flatMap((b) => [...data.subarray(b * length * size, (b + 1) * length * size)]),
    ),
    [rows.length, length, size],
  );

test("a ragged source is projected once; every query sees all of its own", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  using layer = new MultiHeadAttention(attention, { heads: H, keyValueHeads: KV }, weights);
  const before = attention.memory.used;
  const cache = createCache(attention, { ...sizes, pageSize: 16, sequences: B });
  const options = { weights: true, logSumExp: true } as const;
  for (const [step, L] of [1, 1, 9, 40].entries()) {
    const query = randomTensor([B, L, E], 20 + step);
    const want = layer.forward({ query, key: source }, { ...options, keyLengths: lengths });
    const got = step
      ? layer.forward(query, { ...options, cache })
      : layer.forward({ query, key: source }, { ...options, cache, keyLengths: lengths });
    assert.deepEqual(bitsOf(got), bitsOf(want));
    const later = await layer.forwardAsync({ query }, { ...options, cache });
    assert.deepEqual(bitsOf(later), bitsOf(want));
    assert.deepEqual(
      cache.sequences.map((id) => cache.length(id)),
      lengths,
    );
  }
  // Beams: some rows of it, in any order.
  const query = randomTensor([4, 2, E], 30);
  cache.begin();
  cache.reorder([2, 2, 0, 1]);
  const rows = [2, 2, 0, 1];
  const beams = layer.forward(query, { cache }).output;
  const keyLengths = rows.map((b) => lengths[b]);
  const want = layer.forward({ query, key: rowsOf(source, rows) }, { keyLengths }).output;
  same(beams.data, want.data, "beams");
  const [one] = cache.sequences;
  const skipped = layer.forward(query, { cache, sequences: [-1, one, -1, -1] }).output;
  same(skipped.data.subarray(2 * E, 4 * E), want.data.subarray(2 * E, 4 * E), "skipped rows");
  // A source in two parts.
  cache.truncate(one, 0);
  const parts = [source.data.subarray(0, 10 * EK), source.data.subarray(10 * EK, S * EK)];
  const asked = rowsOf(query, [0]);
  const [, whole] = parts.map((data) =>
    layer.forward(
      { query: asked, key: tensor(data, [1, data.length / EK, EK]) },
      { cache, sequences: [one] },
    ),
  );
  const wanted = layer.forward({ query: asked, key: rowsOf(source, [0]) });
  same(whole.output.data, wanted.output.data, "in parts");
  cache.dispose();
  assert.equal(attention.memory.used, before);
  layer.dispose();
  assert.equal(attention.memory.used, used);
});

test("without queries it is filled; fewer bits too", async () => {
  const attention = await engine("portable");
  using layer = new MultiHeadAttention(attention, { heads: H, keyValueHeads: KV }, weights);
  const query = randomTensor([B, 3, E], 9);
  const exact = layer.forward({ query, key: source }, { keyLengths: lengths }).output.data;
  for (const [numbers, most] of Object.entries({
    float32: 0,
    int16: 1e-3,
    int8: 0.05,
    int4: 0.5,
  })) {
    using cache = createCache(attention, {
      ...sizes,
      numbers: numbers as CacheNumbers,
      sequences: B,
    });
    const none = tensor(new Float32Array(0), [B, 0, E]);
    layer.forward({ query: none, key: source }, { cache, keyLengths: lengths });
    const got = layer.forward(query, { cache }).output.data;
    const error = Math.max(...got.map((x, i) => Math.abs(x - exact[i])));
    assert.ok(error <= most, `${numbers}: ${error}`);
  }
});

test("attend of such a cache is not causal unless asked", async () => {
  const attention = await engine("portable");
  using cache = createCache(attention, { ...sizes, sequences: 1 });
  const [query, key, value] = [
    randomTensor([1, H, 6, D], 1),
    randomTensor([1, KV, S, D], 2),
    randomTensor([1, KV, S, D], 3),
  ];
  cache.append(key, value);
  same(cache.attend(query).output.data, attention.attend(query, key, value).output.data, "all");
  const causal = attention.attend(query, key, value, { causal: "lower-right" }).output.data;
  same(cache.attend(query, { causal: true }).output.data, causal, "causal");
});

test("what a cache for cross-attention and a layer with one refuse; a failure appends nothing", async () => {
  const attention = await engine("portable");
  using layer = new MultiHeadAttention(attention, { heads: H, keyValueHeads: KV }, weights);
  using cache = createCache(attention, { ...sizes, sequences: B });
  using self = createCache(attention, { keyValueHeads: KV, headSize: D, sequences: B });
  const query = randomTensor([B, 2, E], 1);
  const message = (call: () => unknown) => {
    try {
      call();
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
    return "nothing";
  };
  const refused: [() => unknown, string][] = [
    [
      () => createCache(attention, { ...sizes, window: 3 }),
      'createCache: "window" expected no value with cross: true, got 3',
    ],
    [
      () => createCache(attention, { ...sizes, rotary: {} }),
      'createCache: "rotary" expected no value with cross: true, got an object with {}',
    ],
    [
      () => createCache(attention, { ...sizes, cross: 1 as never }),
      'createCache: "cross" expected a boolean, got 1',
    ],
    [
      () => layer.forward({ query, value: source }, { cache }),
      'forward: "value" expected no value without a key, got an object with {data, dims}',
    ],
    [
      () => layer.forward({ query, key: source }, { cache, keyLengths: [1, 2] }),
      'forward: "keyLengths" expected one integer for each of 3 rows of the batch, got [1, 2]',
    ],
    [
      () => layer.forward({ query, key: source }, { cache: self, keyLengths: lengths }),
      'forward: "keyLengths" expected no value with a cache, which knows them: queryLengths, got [37, 5, 16]',
    ],
    [
      () => layer.forward({ query, key: source }, { cache, mask: new Float32Array(3) }),
      'forward: "mask" expected',
    ],
    [
      () => layer.forward({ query, key: query }, { cache }),
      'forward: "key.dims" expected [B, S, 14] or [S, 14], got [3, 2, 20]',
    ],
    [
      () => layer.forward({ query }, { cache, keyLengths: lengths }),
      'forward: "keyLengths" expected no value without a key: the cache knows them, got [37, 5, 16]',
    ],
    [
      () => layer.forward({ query, key: source }, { cache: self, queryLengths: [1] }),
      'forward: "queryLengths" expected one integer for each of 3 rows of the batch, got [1]',
    ],
  ];
  for (const [call, wanted] of refused) {
    const said = message(call);
    assert.ok(said.startsWith(`ArgumentError: ${wanted}`), said);
  }
  for (const id of cache.sequences) assert.equal(cache.length(id), 0);
  assert.equal(cache.memory.pages, 0);
});
