// The multi-head layer with a cache.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MultiHeadAttention, tensor } from "wasm-attention";
import { createCache } from "wasm-attention/cache";
import { same } from "./checks/cache";
import { engine, randomArray } from "./engines";

test("a layer with a cache: the bits of one pass over all, also in a ragged batch; a failure appends nothing", async () => {
  const attention = await engine("portable");
  const [heads, keyValueHeads, D, E, S] = [4, 2, 8, 20, 40];
  const matrix = (inputs: number, outputs: number, seed: number) => ({
    weight: tensor(randomArray(inputs * outputs, seed, 0.3), [inputs, outputs]),
    order: "in,out" as const,
    bias: randomArray(outputs, seed + 10),
  });
  const weights = {
    query: matrix(E, heads * D, 1),
    key: matrix(E, keyValueHeads * D, 2),
    value: matrix(E, keyValueHeads * D, 3),
    output: matrix(heads * D, E, 4),
  };
  using layer = new MultiHeadAttention(attention, { heads, keyValueHeads }, weights);
  const x = tensor(randomArray(2 * S * E, 5), [2, S, E]);
  const of = (b: number, from: number, to: number) =>
    tensor(x.data.slice((b * S + from) * E, (b * S + to) * E), [1, to - from, E]);
  const want = layer.forward(x, { causal: true }).output.data;
  const { used } = attention.memory;
  const cache = createCache(attention, { keyValueHeads, headSize: D, pageSize: 16, sequences: 2 });
  for (const b of [0, 1]) {
    for (let from = 0; from < S; from += 8) {
      const sequences = [b];
      const { output } = layer.forward(of(b, from, from + 8), { cache, sequences });
      const at = (b * S + from) * E;
      same(output.data, want.subarray(at, at + 8 * E), `sequence ${b} from ${from}`);
    }
  }
  const before = cache.export();
  const fail = { name: "Error", message: "no" };
  const scoreMod = () => {
    throw new Error("no");
  };
  assert.throws(() => layer.forward(of(0, 0, 8), { cache, sequences: [0], scoreMod }), fail);
  const mask = new Float32Array(7);
  assert.throws(() => layer.forward(of(0, 0, 8), { cache, sequences: [0], mask }), {
    argument: "mask",
  });
  assert.deepEqual(cache.export(), before);
  assert.throws(() => layer.forward(x, { sequences: [0, 1] }), { argument: "sequences" });
  assert.throws(() => layer.forward(x, { cache: {} as never }), { argument: "cache" });
  assert.throws(() => layer.forward(x, { cache, record: true }), { argument: "record" });

  // Rows as long as the layer's, cut into other heads.
  for (const other of [
    { keyValueHeads: 1, headSize: 16 },
    { keyValueHeads: 4, headSize: 4 },
    { keyValueHeads, headSize: D, valueSize: 16 },
  ]) {
    using cache = createCache(attention, other);
    const { keyValueHeads: H, headSize, valueSize = headSize } = other;
    assert.throws(() => layer.forward(of(0, 0, 8), { cache }), {
      argument: "cache",
      message: `forward: "cache" expected the layer's Hkv = 2, D = 8, Dv = 8, got Hkv = ${H}, D = ${headSize}, Dv = ${valueSize}`,
    });
    assert.equal(cache.length(), 0);
  }

  // A ragged batch, later.
  cache.truncate(0, 0);
  cache.truncate(1, 0);
  const lengths = [S, 11];
  const first = layer.forward(x, { causal: true, queryLengths: lengths }).output.data;
  const ragged = await layer.forwardAsync(x, { cache, queryLengths: lengths });
  same(ragged.output.data, first, "ragged");
  assert.deepEqual(
    cache.sequences.map((id) => cache.length(id)),
    lengths,
  );
  using other = createCache(await engine("portable"), { keyValueHeads, headSize: D });
  assert.throws(() => layer.forward(x, { cache: other }), { argument: "cache" });
  cache.dispose();
  assert.throws(() => layer.forward(x, { cache }), { name: "DisposedError" });
  assert.equal(attention.memory.used, used);
});

test("an asynchronous pass sees the tokens of its turn, whatever happens to them meanwhile", async () => {
  const attention = await engine("portable");
  const [heads, D, S] = [2, 32, 900];
  const E = heads * D;
  const eye = tensor(
    Float32Array.from({ length: E * E }, (_, i) => +(i % (E + 1) === 0)),
    [E, E],
  );
  const projection = { weight: eye, order: "in,out" } as const;
  const weights = { query: projection, key: projection, value: projection, output: projection };
  using layer = new MultiHeadAttention(attention, { heads }, weights);
  const x = tensor(randomArray(S * E, 5), [1, S, E]);
  const want = layer.forward(x, { causal: true }).output.data;
  using cache = createCache(attention, { keyValueHeads: heads, headSize: D });
  let turns = 0;
  const other = tensor(randomArray(E, 6), [1, heads, 1, D]);
  const passing = layer.forwardAsync(x, { cache });
  const meddling = setInterval(() => {
    if (cache.length() < S) return;
    turns++;
    cache.truncate(0, 10);
    cache.append(other, other);
  }, 0);
  const { output } = await passing;
  clearInterval(meddling);
  same(output.data, want, `after ${turns} turns`);
});
