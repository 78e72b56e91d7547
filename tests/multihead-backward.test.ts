// The layer's gradients against projections and attention differentiated in float64; records, sums over
// inputs left out, accumulation and updates.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type LayerResult, MultiHeadAttention, type Tensor, tensor } from "wasm-attention";
import { type LayerGradients, multiHeadBackward } from "wasm-attention/training";
import { engine, randomArray, variants } from "./engines";
import { attend, type Round, shareOfTolerance } from "./reference";
import { attendBackward, type BackwardProblem } from "./reference-backward";
import { linearGradients, type Numbers, splitHeads } from "./reference-layer";
import { linear } from "./reference-linear";

const sizes = {
  batch: 2,
  queries: 9,
  keys: 21,
  heads: 6,
  keyValueHeads: 2,
  headSize: 5,
  valueSize: 7,
};
const { batch, queries, keys, heads, keyValueHeads, headSize, valueSize } = sizes;
const [queryInput, keyInput, valueInput, outputSize] = [11, 13, 17, 19];

const matrix = (rows: number, columns: number, seed: number) =>
  tensor(randomArray(rows * columns, seed, 0.5), [rows, columns]);

const weightsOf = (seed: number, withBias: boolean) => ({
  wq: matrix(queryInput, heads * headSize, seed + 1),
  wk: matrix(keyInput, keyValueHeads * headSize, seed + 2),
  wv: matrix(valueInput, keyValueHeads * valueSize, seed + 3),
  dense: matrix(heads * valueSize, outputSize, seed + 4),
  ...(withBias && {
    bq: randomArray(heads * headSize, seed + 5),
    bk: randomArray(keyValueHeads * headSize, seed + 6),
    bv: randomArray(keyValueHeads * valueSize, seed + 7),
    denseBias: randomArray(outputSize, seed + 8),
  }),
});
type Weights = ReturnType<typeof weightsOf>;
const split = (data: Numbers, rows: number, h: number) => splitHeads(data, batch, rows, h);

function differentiate(w: Weights, inputs: Numbers[], dy: Numbers, causal: boolean, round?: Round) {
  const [x, y, z] = inputs;
  const project = (data: Numbers, weight: Tensor, bias?: Float32Array) =>
    linear(
      data,
      weight.data,
      bias,
      data.length / weight.dims[0],
      weight.dims[0],
      weight.dims[1],
      round,
    );
  const problem: BackwardProblem = {
    ...sizes,
    query: split(project(x, w.wq, w.bq), queries, heads),
    key: split(project(y, w.wk, w.bk), keys, keyValueHeads),
    value: split(project(z, w.wv, w.bv), keys, keyValueHeads),
    outputGradient: new Float32Array(),
    scale: 1 / Math.sqrt(headSize),
    present: () => true,
    visible: (_b, _h, i, j) => !causal || j <= i,
    bias: () => 0,
  };
  const mixed = split(attend(problem, round).output, heads, queries);
  const output = linearGradients(dy, mixed, w.dense, round);
  problem.outputGradient = split(output.input, queries, heads);
  const { gradients } = attendBackward(problem, round);
  const query = linearGradients(split(gradients.query, heads, queries), x, w.wq, round);
  const key = linearGradients(split(gradients.key, keyValueHeads, keys), y, w.wk, round);
  const value = linearGradients(split(gradients.value, keyValueHeads, keys), z, w.wv, round);
  return { query, key, value, output };
}

const input = (rows: number, size: number, seed: number) =>
  tensor(randomArray(batch * rows * size, seed), [batch, rows, size]);

for (const variant of variants) {
  for (const withBias of [true, false])
    test(`gradients of the layer, ${withBias ? "" : "no "}biases, ${variant}`, async () => {
      const attention = await engine(variant);
      const { used } = attention.memory;
      const weights = weightsOf(100, withBias);
      const layer = MultiHeadAttention.fromMatrices(attention, weights, { heads, keyValueHeads });
      const between = attention.memory.used;
      const given = [
        input(queries, queryInput, 1),
        input(keys, keyInput, 2),
        input(keys, valueInput, 3),
      ];
      const dy = input(queries, outputSize, 4);
      for (const causal of [false, true]) {
        const { record, logSumExp } = layer.forward(
          { query: given[0], key: given[1], value: given[2] },
          {
            causal,
            record: true,
          },
        ) as LayerResult;
        assert.ok(record);
        assert.equal(logSumExp, undefined, "not asked for");
        assert.ok(attention.memory.used > between);
        const got = multiHeadBackward(layer, dy, record);
        assert.equal(attention.memory.used, between, "the record is gone");
        const data = given.map((x) => x.data);
        const truth = differentiate(weights, data, dy.data, causal);
        const naive = differentiate(weights, data, dy.data, causal, Math.fround);
        const within = (
          name: string,
          a: Numbers | undefined,
          exactly: Numbers,
          rounded: Numbers,
        ) => {
          assert.ok(a, name);
          const share = shareOfTolerance(a, exactly, [rounded]);
          assert.ok(share <= 1, `${name}: ${share} of the tolerance`);
        };
        for (const [index, name] of (["query", "key", "value"] as const).entries()) {
          const result = got[`${name}Gradient`];
          assert.deepEqual(result?.dims, given[index].dims);
          within(name, result?.data, truth[name].input, naive[name].input);
        }
        for (const [name, matrix] of [
          ["query", weights.wq],
          ["key", weights.wk],
          ["value", weights.wv],
          ["output", weights.dense],
        ] as const) {
          const result = got.weights[name];
          assert.deepEqual(result.weight.dims, matrix.dims);
          within(`${name} weight`, result.weight.data, truth[name].weight, naive[name].weight);
          // A key's bias moves all scores of a row alike: its gradient is 0 but for rounding.
          if (withBias)
            within(`${name} bias`, result.bias?.data, truth[name].bias, naive[name].bias);
          else assert.equal(result.bias, undefined);
        }
      }
      layer.dispose();
      assert.equal(attention.memory.used, used);
    });

  test(`inputs left out, sums and places, ${variant}`, async () => {
    const attention = await engine(variant);
    const eye = (seed: number) => matrix(12, 12, seed);
    const weights = { wq: eye(1), wk: eye(2), wv: eye(3), dense: eye(4), bq: randomArray(12, 5) };
    const layer = MultiHeadAttention.fromMatrices(attention, weights, { heads: 3 });
    const [x, y, dy] = [1, 2, 3].map((seed) => tensor(randomArray(2 * 7 * 12, seed), [2, 7, 12]));
    const options = { causal: true, dropout: { probability: 0.25, seed: 9 }, record: true };
    const run = (inputs: Tensor[], more?: object) => {
      const { record } = layer.forward(
        { query: inputs[0], key: inputs[1], value: inputs[2] },
        options,
      );
      assert.ok(record);
      return multiHeadBackward(layer, dy, record, more);
    };
    const sum = (...parts: (Tensor | undefined)[]) =>
      parts.map((p) => p?.data as Float32Array).reduceRight((a, b) => a.map((v, i) => b[i] + v));
    const all = run([x, x, x]);
    const alone = run([x]);
    assert.deepEqual(
      alone.queryGradient.data,
      sum(all.queryGradient, all.keyGradient, all.valueGradient),
    );
    assert.deepEqual([alone.keyGradient, alone.valueGradient], [undefined, undefined]);
    assert.deepEqual(alone.weights, all.weights);
    const cross = run([x, y]);
    const separate = run([x, y, y]);
    assert.deepEqual(cross.queryGradient, separate.queryGradient);
    assert.deepEqual(cross.keyGradient?.data, sum(separate.keyGradient, separate.valueGradient));

    using allocated = attention.allocate([2, 7, 12]);
    const out = { query: allocated, key: new Float32Array(168), weights: separate.weights };
    const before = structuredClone(separate.weights);
    const again = run([x, y], { out });
    assert.equal(again.queryGradient, allocated);
    assert.equal(again.keyGradient?.data, out.key);
    assert.equal(again.weights.query.bias, separate.weights.query.bias);
    assert.deepEqual(again.weights, before);
    assert.deepEqual(allocated.data, cross.queryGradient.data);
    run([x, y], { out, accumulate: true });
    assert.deepEqual(
      allocated.data,
      cross.queryGradient.data.map((g) => 2 * g),
    );
    assert.deepEqual(
      out.key,
      cross.keyGradient?.data.map((g) => 2 * g),
    );
    const twice = (g: LayerGradients["weights"]) => g.value.weight.data.map((v) => 2 * v);
    assert.deepEqual(out.weights.value.weight.data, twice(before));

    const { used } = attention.memory;
    const { record } = layer.forward(x, options);
    assert.ok(record && attention.memory.used > used);
    record.dispose();
    record.dispose();
    assert.equal(attention.memory.used, used);
    layer.dispose();
  });

  test(`weights are updated in place, ${variant}`, async () => {
    const attention = await engine(variant);
    const [first, second] = [1, 50].map((seed) => weightsOf(seed, true));
    const make = (w: Weights) =>
      MultiHeadAttention.fromMatrices(attention, w, { heads, keyValueHeads });
    const [layer, other] = [make(first), make(second)];
    const { used } = attention.memory;
    layer.update({
      query: { weight: second.wq, bias: second.bq },
      key: { weight: second.wk, bias: second.bk },
      value: { weight: second.wv, bias: second.bv },
      output: { weight: second.dense, bias: second.denseBias },
    });
    assert.equal(attention.memory.used, used);
    const given = [
      input(queries, queryInput, 1),
      input(keys, keyInput, 2),
      input(keys, valueInput, 3),
    ] as const;
    const [query, key, value] = given;
    assert.deepEqual(layer.forward({ query, key, value }), other.forward({ query, key, value }));
  });
}
