// Options are read once, when the call is made, whatever kind of object they are.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AttendOptions,
  appendedKeys,
  attendPacked,
  type LayerOptions,
  MultiHeadAttention,
  mergeStates,
  prepareLinear,
  tensor,
} from "wasm-attention";
import {
  alibiSlopes,
  ropeFrequencies,
  rotate,
  sinusoidalPositions,
} from "wasm-attention/positions";
import { attendBackward, linearBackward, multiHeadBackward } from "wasm-attention/training";
import { engine, randomArray } from "./engines";

const random = (seed: number, ...dims: number[]) =>
  tensor(
    randomArray(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
    dims,
  );
const [B, H, L, S, D] = [2, 2, 5, 9, 8];
const [q, k, v] = [random(1, B, H, L, D), random(2, B, H, S, D), random(3, B, H, S, D)];
const x = random(4, B, L, H * D);
const eye = { weight: random(5, H * D, H * D), order: "in,out" } as const;
const eyes = { query: eye, key: eye, value: eye, output: eye };

/** Everything that is an object or a list within; each call makes them anew. */
const nested = () => ({
  queryOffset: [4, 2],
  keyLengths: [8, 5],
  queryLengths: [5, 3],
  sinks: [0.5, -1],
  window: { left: 3, right: 1 },
  alibi: { slopes: [...alibiSlopes(H)], distance: "signed" as "signed" | "key" },
  dropout: { probability: 0.3, seed: 7 },
  mask: { data: new Float32Array(L).map((_, i) => i / 3), dims: [L, 1] },
  blockMask: { data: Uint8Array.of(1, 1, 0, 1, 1, 1), dims: [1, 1, 2, 3], size: 3 },
});

/** Changes each number, text and list within, but not the elements of tensors. */
function spoil(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    const own = options as Record<string, unknown>;
    if (typeof value === "number") own[name] = 1;
    else if (typeof value === "string") own[name] = "key";
    else if (Array.isArray(value)) value.fill(1);
    else if (typeof value === "object" && value && !ArrayBuffer.isView(value)) spoil(value);
  }
}

test("asynchronous calls copy their options and what is nested in them when they are made", async () => {
  const attention = await engine("portable");
  using layer = new MultiHeadAttention(attention, { heads: H }, eyes);
  const wanted = attention.attend(q, k, v, { ...nested(), weights: true });
  const spoilt = { ...nested(), mask: undefined, blockMask: undefined, dropout: undefined };
  spoil(spoilt);
  assert.notDeepEqual(attention.attend(q, k, v, spoilt).output, wanted.output);

  // The first keeps the second waiting.
  const options = [nested(), nested()].map((given) => ({ ...given, weights: true as boolean }));
  const results = options.map((given) => attention.attendAsync(q, k, v, given));
  for (const given of options) {
    given.weights = false;
    spoil(given);
  }
  for (const result of await Promise.all(results)) assert.deepEqual(result, wanted);

  const self = () => ({ ...nested(), keyLengths: [4, 5], mask: undefined, blockMask: undefined });
  const inside = layer.forward(x, self());
  const given = self();
  const later = layer.forwardAsync(x, given);
  spoil(given);
  assert.deepEqual(await later, inside);
});

test("one object used for three calls gives three results", async () => {
  const attention = await engine("portable");
  const right = [0, 3, 7].map((queryOffset) =>
    attention.attend(q, k, v, { causal: true, queryOffset }),
  );
  const options: AttendOptions = { causal: true };
  const calls = [0, 3, 7].map((queryOffset) => {
    options.queryOffset = queryOffset;
    return attention.attendAsync(q, k, v, options);
  });
  assert.deepEqual(await Promise.all(calls), right);
});

test("a call that is refused is refused at once, and those after it wait for those before it", async () => {
  const attention = await engine("portable");
  const wanted = attention.attend(q, k, v);
  const first = attention.attendAsync(q, k, v);
  await assert.rejects(attention.attendAsync(q, k, v, { causal: "yes" as never }), /causal/);
  const third = attention.attendAsync(q, k, v);
  assert.deepEqual([await first, await third], [wanted, wanted]);
});

/** The same options in objects of other kinds. */
function kinds<T extends object>(options: T): [string, T][] {
  class Accessors {}
  for (const [name, value] of Object.entries(options)) {
    Object.defineProperty(Accessors.prototype, name, { get: () => value });
  }
  const getters = {};
  for (const [name, value] of Object.entries(options)) {
    let reads = 0;
    const get = () => {
      assert.equal(++reads, 1, `${name} was read again`);
      return value;
    };
    Object.defineProperty(getters, name, { get, enumerable: true });
  }
  return [
    ["inherited", Object.create(options) as T],
    ["of a class with accessors", new Accessors() as T],
    ["without a prototype", Object.assign(Object.create(null), options) as T],
    ["of getters, each read once", getters as T],
  ];
}

test("inherited options, accessors and getters mean the same in every operation", async (t) => {
  const attention = await engine("portable");
  using layer = new MultiHeadAttention(attention, { heads: H }, eyes);
  using prepared = prepareLinear(attention, eye.weight, { order: "in,out" });
  const options: AttendOptions = { ...nested(), causal: true, scale: 0.3, logSumExp: true };
  const state = attention.attend(q, k, v, options);
  const stated = { output: state.output, logSumExp: state.logSumExp! };
  const self: LayerOptions = { causal: true, scale: 0.3, weights: "mean", sinks: [1, 2] };
  const learning = { ...options, gradients: { mask: true, sinks: true } };
  const calls: Record<string, [object, (given: never) => unknown]> = {
    attend: [options, (given) => attention.attend(q, k, v, given)],
    attendBackward: [
      learning,
      (given) =>
        attendBackward(
          attention,
          { ...stated, query: q, key: k, value: v, outputGradient: q },
          given,
        ),
    ],
    attendPacked: [
      { cumulativeQueries: [0, 2, 5], causal: true, window: { left: 1 } },
      (given) =>
        attendPacked(
          attention,
          ...([5, 6, 7].map((s) => random(s, 5, H, D)) as [never, never, never]),
          given,
        ),
    ],
    mergeStates: [{ layout: "BHLD" }, (given) => mergeStates(attention, [stated, stated], given)],
    rotate: [
      { positions: [3, 1], base: 100, pairing: "interleaved", dimensions: 4 },
      (given) => rotate(attention, q, given),
    ],
    ropeFrequencies: [{ dimensions: 8, base: 9 }, (given) => ropeFrequencies(attention, given)],
    sinusoidalPositions: [
      { positions: 3, size: 4 },
      (given) => sinusoidalPositions(attention, given),
    ],
    linearBackward: [
      { gradients: { input: false } },
      (given) => linearBackward(attention, x, x, prepared, given),
    ],
    forward: [self, (given) => layer.forward(x, given)],
    backward: [
      { gradients: { sinks: true } },
      (given) => {
        const recorded = { ...self, record: true };
        const { record } = layer.forward(x, recorded);
        return multiHeadBackward(layer, x, record!, given);
      },
    ],
    "new MultiHeadAttention": [
      { heads: H, appended: appendedKeys({ addZeroAttention: true }) },
      (given) => {
        using made = new MultiHeadAttention(attention, given, eyes);
        return made.forward(x).output;
      },
    ],
  };
  for (const [name, [given, call]] of Object.entries(calls)) {
    const wanted = call(given as never);
    for (const [kind, other] of kinds(given)) {
      await t.test(`${name}: ${kind}`, () => assert.deepEqual(call(other as never), wanted));
    }
  }
});

test("names that every object has are options as little as others", async () => {
  const attention = await engine("portable");
  for (const name of ["constructor", "toString", "x".repeat(1e6)])
    assert.throws(
      () => attention.attend(q, k, v, { [name]: 1 } as never),
      (error: Error) => error.name === "ArgumentError" && error.message.length < 400,
      name.slice(0, 20),
    );
  const everywhere = Object.prototype as { polyfill?: number };
  everywhere.polyfill = 1;
  try {
    assert.deepEqual(attention.attend(q, k, v, {}), attention.attend(q, k, v));
  } finally {
    delete everywhere.polyfill;
  }
});

test("a list that says something else the second time is read once", async () => {
  const attention = await engine("portable");
  let reads = 0;
  const changing = new Proxy([5, 5], {
    get: (list, name) => (name === "0" && reads++ > 0 ? 2 ** 30 : Reflect.get(list, name)),
  });
  const { output } = attention.attend(q, k, v, { keyLengths: changing });
  assert.equal(reads, 1);
  assert.deepEqual(output, attention.attend(q, k, v, { keyLengths: [5, 5] }).output);
});
