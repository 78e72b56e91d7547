// The multi-head layer with rotary embeddings and no cache: against float64, a cache's, and its gradients.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createAttention, type LayerOptions, MultiHeadAttention, tensor } from "wasm-attention";
import { createCache } from "wasm-attention/cache";
import { multiHeadBackward } from "wasm-attention/training";
import { bitsOf, createWhole, engine, randomArray, randomTensor, variants } from "./engines";
import { attend, type Round, shareOfTolerance } from "./reference";
import { splitHeads } from "./reference-layer";
import { linear } from "./reference-linear";

const [B, L, E, H, KV, D] = [2, 7, 9, 4, 2, 6];
const x = randomTensor([B, L, E], 1);
const matrix = (inputs: number, outputs: number, seed: number) => ({
  weight: randomTensor([inputs, outputs], seed, 0.5),
  order: "in,out" as const,
  bias: randomArray(outputs, seed + 10, 0.5),
});
const weights = {
  query: matrix(E, H * D, 2),
  key: matrix(E, KV * D, 3),
  value: matrix(E, KV * D, 4),
  output: matrix(H * D, E, 5),
};

interface Turn {
  readonly interleaved?: boolean;
  readonly dimensions?: number;
  readonly factor?: number;
  readonly at?: (b: number, i: number) => number;
}

/** In float64, or rounded at every step. */
function solve(input: ArrayLike<number>, turn: Turn, round: Round = (n) => n): Float64Array {
  const { interleaved = false, dimensions = D, factor = 1, at = (_, i) => i } = turn;
  const project = (name: "query" | "key" | "value", heads: number, turned: boolean) => {
    const { weight, bias } = weights[name];
    const y = linear(input, weight.data, bias, B * L, E, heads * D, round);
    const z = y.slice();
    const pairs = dimensions / 2;
    for (let row = 0; turned && row < B * L * heads; row++) {
      const token = Math.floor(row / heads);
      const position = at(Math.floor(token / L), token % L);
      for (let pair = 0; pair < pairs; pair++) {
        const [p, q] = interleaved ? [2 * pair, 2 * pair + 1] : [pair, pair + pairs];
        const angle = position * 10000 ** ((-2 * pair) / dimensions);
        const [c, s] = [round(Math.cos(angle) * factor), round(Math.sin(angle) * factor)];
        const [a, b] = [y[row * D + p], y[row * D + q]];
        z[row * D + p] = round(round(a * c) - round(b * s));
        z[row * D + q] = round(round(b * c) + round(a * s));
      }
    }
    return splitHeads(z, B, L, heads);
  };
  const mixed = attend(
    {
      batch: B,
      heads: H,
      keyValueHeads: KV,
      queries: L,
      keys: L,
      headSize: D,
      valueSize: D,
      query: project("query", H, true),
      key: project("key", KV, true),
      value: project("value", KV, false),
      scale: 1 / Math.sqrt(D),
      present: () => true,
      visible: (_b, _h, i, j) => j <= i,
      bias: () => 0,
    },
    round,
  ).output;
  const { weight, bias } = weights.output;
  const side = splitHeads(mixed, B, H, L);
  return linear(side, weight.data, bias, B * L, H * D, E, round);
}

const forms: Record<string, [LayerOptions, Turn]> = {
  "by default": [{ rotary: {} }, {}],
  interleaved: [{ rotary: { pairing: "interleaved" } }, { interleaved: true }],
  "a part, with a factor": [
    { rotary: { dimensions: 4, attentionFactor: 1.5 } },
    { dimensions: 4, factor: 1.5 },
  ],
  "a position for all": [{ rotary: {}, positions: 100 }, { at: (_, i) => 100 + i }],
  "one for each batch": [{ rotary: {}, positions: [3, 50] }, { at: (b, i) => [3, 50][b] + i }],
  "one for each row": [
    { rotary: {}, positions: Int32Array.from({ length: B * L }, (_, k) => 3 * k - 5) },
    { at: (b, i) => 3 * (b * L + i) - 5 },
  ],
};

for (const [name, [options, turn]] of Object.entries(forms)) {
  test(`rotary in the layer ${name}: against float64, sync and async`, async () => {
    const truth = solve(x.data, turn);
    const naive = solve(x.data, turn, Math.fround);
    for (const variant of variants) {
      const attention = await engine(variant);
      const { used } = attention.memory;
      using layer = new MultiHeadAttention(attention, { heads: H, keyValueHeads: KV }, weights);
      const got = layer.forward(x, { ...options, causal: true });
      const share = shareOfTolerance(got.output.data, truth, [naive]);
      assert.ok(share <= 1, `${share} of the tolerance`);
      const later = await layer.forwardAsync(x, { ...options, causal: true });
      assert.deepEqual(bitsOf(later), bitsOf(got));
      layer.dispose();
      assert.equal(attention.memory.used, used);
    }
  });
}

test("the bits of a cache with the same rotary embeddings", async () => {
  const attention = await engine("portable");
  using layer = new MultiHeadAttention(attention, { heads: H, keyValueHeads: KV }, weights);
  const rotary = { base: 500, pairing: "interleaved" } as const;
  const sizes = { keyValueHeads: KV, headSize: D, sequences: B };
  for (const positions of [undefined, 12, [1, 9]]) {
    using cache = createCache(attention, { ...sizes, rotary });
    const want = layer.forward(x, { cache, positions }).output;
    assert.deepEqual(layer.forward(x, { rotary, positions, causal: true }).output, want);
  }
});

test("gradients go back through the rotation", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  using layer = new MultiHeadAttention(attention, { heads: H, keyValueHeads: KV }, weights);
  const [options, turn] = forms["a part, with a factor"];
  const at = (b: number, i: number) => [3, 50][b] + i;
  const asked = { ...options, positions: [3, 50], causal: true, record: true } as const;
  const { record, output } = layer.forward(x, asked);
  const gradient = randomTensor(output.dims, 9);
  const { queryGradient } = multiHeadBackward(layer, gradient, record);
  const loss = (input: Float64Array) =>
    solve(input, { ...turn, at }).reduce((sum, y, i) => sum + y * gradient.data[i], 0);
  for (let i = 0; i < x.data.length; i++) {
    const [above, below] = [1e-5, -1e-5].map((by) => {
      const moved = Float64Array.from(x.data);
      moved[i] += by;
      return loss(moved);
    });
    const want = (above - below) / 2e-5;
    assert.ok(
      Math.abs(queryGradient.data[i] - want) < 1e-4,
      `${i}: ${queryGradient.data[i]}, ${want}`,
    );
  }
  layer.dispose();
  assert.equal(attention.memory.used, used);
});

test("what rotary embeddings in the layer refuse", async () => {
  const attention = await createWhole();
  const { used } = attention.memory;
  const plain = await createAttention();
  const make = (of: typeof plain) =>
    new MultiHeadAttention(of, { heads: H, keyValueHeads: KV }, weights);
  const [layer, without] = [make(attention), make(plain)];
  const cache = createCache(attention, { keyValueHeads: KV, headSize: D, sequences: B });
  const refuse = (call: () => unknown, message: string) => {
    let said = "nothing";
    try {
      call();
    } catch (error) {
      said = `${(error as Error).name}: ${(error as Error).message}`;
    }
    assert.equal(said, message);
  };
  const refused: [LayerOptions, string][] = [
    [{ positions: 3 }, '"positions" expected no value without rotary or a cache, got 3'],
    [
      { rotary: {}, positions: [1, 2, 3] },
      '"positions" expected a number, or [B] = 2 or [B, L] = 14 integers, got [1, 2, 3]',
    ],
    [{ rotary: {}, positions: 0.5 }, '"positions" expected integers, got 0.5'],
    [
      { rotary: {}, positions: 2 ** 24 },
      '"positions[1]" expected an integer from −2²⁴ to 2²⁴, got 16777222',
    ],
    [
      { rotary: { dimensions: 8 } },
      '"rotary.dimensions" expected an even number up to D = 6, got 8',
    ],
    [{ rotary: { base: -1 } }, '"rotary.base" expected a finite float32 above 1, got -1'],
    [
      { rotary: { theta: 1 } as never },
      '"rotary.theta" expected the name "base", got an option that does not exist',
    ],
    [
      { rotary: {}, cache },
      '"rotary" expected no value with a cache, which has its own, got an object with {}',
    ],
    [
      { rotary: {}, sequences: [0, 1] },
      '"sequences" expected no value without a cache, got [0, 1]',
    ],
  ];
  for (const [options, message] of refused) {
    refuse(() => layer.forward(x, options), `ArgumentError: forward: ${message}`);
  }
  refuse(
    () => layer.forward({ query: x, key: x }, { rotary: {} }),
    'ArgumentError: forward: "rotary" expected no value with a key, whose positions nothing says, got an object with {}',
  );
  refuse(
    () => without.forward(x, { rotary: {} }),
    'ArgumentError: forward: "attention" expected an engine with it: createAttention({ extensions: [positions] }), see wasm-attention/positions, got one with []',
  );
  assert.equal(cache.length(), 0);
  cache.dispose();
  layer.dispose();
  assert.equal(attention.memory.used, used);
  assert.ok(tensor(new Float32Array(0), [0, L, E]));
});
