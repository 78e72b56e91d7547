// What <attention-view> computes: checks of `maps`, sinks, sums, steps. How it draws: view-drawing.test.ts;
// the element itself: tests/browsers/view.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UnsupportedError } from "wasm-attention";
import { type AttentionMaps, defineAttentionView } from "wasm-attention/view";
import { ArgumentError } from "../src/errors";
import { stepsOf } from "../src/view/detail";
import { between } from "../src/view/layout";
import { checkMaps } from "../src/view/maps";
import { choicesOf, nameOf, partsOf } from "../src/view/overview";
import { meanOf, show, strongest, weightAt } from "../src/view/shown";
import { sumsOf } from "../src/view/sums";
import { engine, randomArray } from "./engines";

const tokens = (count: number, name = "t") =>
  Array.from({ length: count }, (_, at) => `${name}${at}`);
const zeros = (...dims: number[]) => ({
  data: new Float32Array(dims.reduce((product, size) => product * size, 1)),
  dims,
});
/** Each element its own place. */
const counted = (...dims: number[]) => {
  const { data } = zeros(...dims);
  return { data: data.map((_, at) => at), dims };
};

test("the module can be imported where there is no page, and says so when it is asked for one", () => {
  assert.throws(defineAttentionView, (error: UnsupportedError) => {
    assert.ok(error instanceof UnsupportedError);
    assert.match(error.message, /^defineAttentionView: "customElements" expected a page/);
    return true;
  });
  for (const name of ["", "view", "Attention-view", "1-view", "a b-c"])
    assert.throws(() => defineAttentionView(name), { name: "ArgumentError" }, name);
});

test("weights of every shape: the head that is asked for", () => {
  const rows = tokens(2);
  const columns = tokens(3, "k");
  const at = (weights: AttentionMaps["weights"], layer: number, head: number) => [
    ...checkMaps({ weights, rows, columns }).weights.at(layer, head),
  ];
  assert.deepEqual(at(counted(2, 3), 0, 0), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(at(counted(4, 2, 3), 0, 3), [18, 19, 20, 21, 22, 23]);
  assert.deepEqual(at(counted(2, 4, 2, 3), 1, 2), [36, 37, 38, 39, 40, 41]);
  for (const dims of [
    [4, 2, 3],
    [1, 4, 2, 3],
  ]) {
    const list = [zeros(...dims), counted(...dims)];
    assert.deepEqual(at(list, 1, 1), [6, 7, 8, 9, 10, 11]);
    assert.deepEqual(at(list, 0, 1), [0, 0, 0, 0, 0, 0]);
  }
});

test("a view into linear memory is copied, an array of its own is not", () => {
  const [whole, memory] = [new Float32Array(4), new Float32Array(8)];
  const maps = (data: Float32Array) => ({ weights: { data, dims: [2, 2] }, rows: tokens(2) });
  assert.equal(checkMaps(maps(whole)).weights.at(0, 0).buffer, whole.buffer);
  assert.notEqual(checkMaps(maps(memory.subarray(4))).weights.at(0, 0).buffer, memory.buffer);
});

test("columns are the rows' tokens, or those that are given, or patches", () => {
  const rows = tokens(4);
  assert.deepEqual(checkMaps({ weights: zeros(4, 4), rows }).columns, rows);
  const columns = tokens(4, "k");
  assert.deepEqual(checkMaps({ weights: zeros(4, 4), rows, columns }).columns, columns);
  const image = { source: { width: 8, height: 4 }, rows: 1, columns: 2, first: 1 };
  assert.deepEqual(checkMaps({ weights: zeros(4, 4), rows, image }).columns, [
    "key 0",
    "patch 1, 1",
    "patch 1, 2",
    "key 3",
  ]);
});

const rows = tokens(2);
const weights = zeros(1, 2, 2, 3);
const columns = tokens(3);
const fit = { weights, rows, columns };
const source = { width: 8, height: 8 };

for (const [argument, maps] of [
  ["maps", null],
  ["maps", [weights]],
  ["maps.weights", { rows }],
  ["maps.weights", { ...fit, weights: [] }],
  ["maps.weights.dims", { ...fit, weights: zeros(3) }],
  ["maps.weights.dims", { ...fit, weights: zeros(1, 1, 1, 2, 3) }],
  ["maps.weights.dims", { ...fit, weights: zeros(2, 0) }],
  ["maps.weights.data", { ...fit, weights: { data: [0, 0], dims: [1, 2] } }],
  ["maps.weights.data", { ...fit, weights: { data: new Float32Array(5), dims: [2, 3] } }],
  ["maps.weights[1].dims", { ...fit, weights: [zeros(2, 2, 3), zeros(1, 2, 3)] }],
  ["maps.weights[0].dims", { ...fit, weights: [zeros(2, 2, 2, 3)] }],
  ["maps.rows", { weights, columns }],
  ["maps.rows", { ...fit, rows: tokens(3) }],
  ["maps.rows[1]", { ...fit, rows: ["a", 1] }],
  ["maps.columns", { weights, rows }],
  ["maps.columns", { ...fit, columns: "abc" }],
  ["maps.image.source", { ...fit, image: { source: "cat.png", rows: 1, columns: 3 } }],
  ["maps.image.rows", { ...fit, image: { source, rows: 0, columns: 3 } }],
  ["maps.image", { ...fit, image: { source, rows: 1, columns: 3, first: 1 } }],
  ["maps.image.colums", { ...fit, image: { source, rows: 1, columns: 3, colums: 3 } }],
  ["maps.query", { ...fit, key: zeros(2, 3, 8) }],
  ["maps.query", { ...fit, query: zeros(1, 2, 8), key: zeros(2, 3, 8) }],
  ["maps.key", { ...fit, query: zeros(2, 2, 8), key: zeros(2, 3, 4) }],
  ["maps.key", { ...fit, query: zeros(2, 2, 8), key: zeros(2, 2, 8) }],
  ["maps.scale", { ...fit, query: zeros(2, 2, 8), key: zeros(1, 3, 8), scale: Number.NaN }],
  ["maps.causal", { ...fit, causal: "left" }],
  ["maps.queryOffset", { ...fit, causal: "lower-right", queryOffset: 1 }],
  ["maps.window.left", { ...fit, window: { left: -1 } }],
  ["maps.pageSize", { ...fit, pageSize: 0 }],
  ["maps.tokens", { ...fit, tokens: rows }],
] as const) {
  test(`refused, and ${argument} named: ${JSON.stringify(maps)?.slice(0, 90)}`, () => {
    assert.throws(
      () => checkMaps(maps),
      (error: ArgumentError) => {
        assert.ok(error instanceof ArgumentError);
        assert.equal(error.argument, argument);
        assert.match(error.message, /^attention-view: /);
        return true;
      },
    );
  });
}

test("the keys that a row sees: as attend's weights have them, whatever the options", async () => {
  const attention = await engine("portable");
  const [L, S] = [5, 9];
  const q = { data: randomArray(L * 4, 1), dims: [1, L, 4] };
  const k = { data: randomArray(S * 4, 2), dims: [1, S, 4] };
  for (const options of [
    {},
    { causal: true },
    { causal: "upper-left" },
    { causal: "lower-right" },
    { causal: true, queryOffset: 3 },
    { causal: true, queryOffset: -2 },
    { window: { left: 2, right: 1 } },
    { window: { right: 0 }, queryOffset: 2 },
    { causal: true, window: { left: 1, right: 4 }, queryOffset: 7 },
  ] as const) {
    const { weights } = attention.attend(q, k, k, { ...options, weights: true });
    const { span } = checkMaps({ weights, rows: tokens(L), columns: tokens(S), ...options });
    for (let row = 0; row < L; row++) {
      const [from, to] = span(row);
      const seen = [...weights.data.subarray(row * S, (row + 1) * S)].map((weight) => weight > 0);
      const own = seen.map((_, column) => column >= from && column < to);
      assert.deepEqual(own, seen, `${JSON.stringify(options)}, row ${row}`);
    }
  }
});

test("the steps lead to the weight that attend gives, with shared heads and a scale", async () => {
  const attention = await engine("portable");
  const [H, L, S, D] = [4, 3, 5, 8];
  const query = { data: randomArray(H * L * D, 3), dims: [1, H, L, D] };
  const key = { data: randomArray(2 * S * D, 4), dims: [1, 2, S, D] };
  const options = { scale: 0.7, causal: "lower-right" } as const;
  const { weights } = attention.attend(query, key, key, { ...options, weights: true });
  const maps = checkMaps({ weights, query, key, rows: tokens(L), columns: tokens(S), ...options });
  for (let head = 0; head < H; head++) {
    for (let row = 0; row < L; row++) {
      for (let column = 0; column < S; column++) {
        const steps = stepsOf(maps, 0, head, { row, column });
        const weight = weights.data[(head * L + row) * S + column];
        if (weight === 0) {
          assert.equal(steps, undefined);
          continue;
        }
        assert.ok(steps);
        assert.ok(Math.abs(steps.weight - weight) < 1e-6, `${steps.weight}, not ${weight}`);
        const products = [...steps.query].map((q, d) => q * steps.key[d]);
        const sum = products.reduce((a, b) => a + b);
        assert.ok(Math.abs(sum - steps.product) < 1e-12);
        assert.equal(steps.score, 0.7 * steps.product);
        assert.equal(steps.keys, S - L + row + 1);
        assert.equal(steps.weight, steps.exponential / steps.sum);
      }
    }
  }
});

const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-6, `${a}, not ${b}`);

test("sinks: columns with a mean above 30 %; rows keep their sum without them", () => {
  const given = Float32Array.of(0.75, 0.25, 0, 0.25, 0.3125, 0.4375, 1, 0, 0, 0, 0, 0);
  const shown = show(given, 4, 3, false);
  assert.deepEqual(shown.sinks, [{ column: 0, mean: 0.5 }]);
  assert.equal(shown.largest, 1);
  assert.equal(weightAt(shown, 0, 0), 0.75);

  const hidden = show(given, 4, 3, true);
  assert.deepEqual([...hidden.hidden], [1, 0, 0]);
  near(weightAt(hidden, 0, 1), 1);
  near(weightAt(hidden, 1, 1), 0.3125 / 0.75);
  near(weightAt(hidden, 1, 2), 0.4375 / 0.75);
  // Nothing is left of a row that has all in a sink, and of one that had nothing.
  for (const row of [2, 3])
    for (const column of [0, 1, 2]) assert.equal(weightAt(hidden, row, column), 0);
  near(hidden.largest, 1);
  assert.deepEqual(show(Float32Array.of(0.25, 0.25, 0.25, 0.25), 2, 2, true).factors, undefined);
});

test("sums: shares of each row's weight, from corner to corner", () => {
  const shown = show(Float32Array.of(0.1, 0.2, 0.7, 0.5, 0.5, 0, 0, 0, 0), 3, 3, false);
  const selection = between({ row: 2, column: 2 }, { row: 0, column: 1 });
  assert.deepEqual(selection, { rows: [0, 2], columns: [1, 2] });
  const { shares, mean } = sumsOf(shown, selection);
  near(shares[0], 0.9);
  near(shares[1], 0.5);
  assert.ok(Number.isNaN(shares[2]));
  near(mean, 0.7);
});

test("the strongest of a row, and the mean of heads", () => {
  const shown = show(Float32Array.of(0.1, 0.4, 0, 0.2, 0.3), 1, 5, false);
  const columns = strongest(shown, 0, 3).map(([column]) => column);
  assert.deepEqual(columns, [1, 4, 3]);
  assert.equal(strongest(shown, 0, 9).length, 4);
  assert.deepEqual([...meanOf([Float32Array.of(1, 2), Float32Array.of(3, 6)])], [2, 4]);
});

test("layers, heads and their means", () => {
  const maps = checkMaps({ weights: zeros(2, 3, 1, 1), rows: ["a"] });
  const choices = choicesOf(maps);
  assert.equal(choices.length, 2 * 4 + 1);
  assert.equal(nameOf(choices[1]), "layer 1, head 2");
  assert.equal(nameOf(choices[7]), "layer 2, mean");
  assert.equal(nameOf(choices[8]), "mean of all");
  assert.deepEqual(partsOf(maps, choices[1]), [[0, 1]]);
  assert.deepEqual(partsOf(maps, choices[7]), [
    [1, 0],
    [1, 1],
    [1, 2],
  ]);
  assert.equal(partsOf(maps, choices[8]).length, 6);
  assert.equal(choicesOf(checkMaps({ weights: zeros(1, 1), rows: ["a"] })).length, 1);
});
