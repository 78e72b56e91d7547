// The layer against projections and attention composed in float64, and its named
// constructors against each other.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MultiHeadAttention, type Tensor, tensor } from "wasm-attention";
import { fromKeras, fromPyTorch } from "wasm-attention/weights";
import { engine, randomArray, variants } from "./engines";
import { attend, shareOfTolerance } from "./reference";
import { linear } from "./reference-linear";

interface Sizes {
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  valueSize: number;
  queryInput: number;
  keyInput: number;
  valueInput: number;
  outputSize: number;
}

const cross: Sizes = {
  batch: 2,
  queries: 9,
  keys: 21,
  heads: 6,
  keyValueHeads: 2,
  headSize: 5,
  valueSize: 7,
  queryInput: 11,
  keyInput: 13,
  valueInput: 17,
  outputSize: 19,
};

function weightsOf(s: Sizes, seed: number, withBias: boolean) {
  const matrix = (rows: number, columns: number, offset: number) =>
    tensor(randomArray(rows * columns, seed + offset, 0.5), [rows, columns]);
  const bias = (n: number, offset: number) =>
    withBias ? randomArray(n, seed + offset) : undefined;
  return {
    wq: matrix(s.queryInput, s.heads * s.headSize, 1),
    wk: matrix(s.keyInput, s.keyValueHeads * s.headSize, 2),
    wv: matrix(s.valueInput, s.keyValueHeads * s.valueSize, 3),
    dense: matrix(s.heads * s.valueSize, s.outputSize, 4),
    bq: bias(s.heads * s.headSize, 5),
    bk: bias(s.keyValueHeads * s.headSize, 6),
    bv: bias(s.keyValueHeads * s.valueSize, 7),
    denseBias: bias(s.outputSize, 8),
  };
}

type Weights = ReturnType<typeof weightsOf>;

/** [B, rows, H·size] → [B, H, rows, size]. */
function split(data: Float64Array, batch: number, rows: number, heads: number) {
  const size = data.length / (batch * rows * heads);
  const result = new Float32Array(data.length);
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < rows; i++)
      for (let h = 0; h < heads; h++)
        for (let d = 0; d < size; d++)
          result[((b * heads + h) * rows + i) * size + d] =
            data[((b * rows + i) * heads + h) * size + d];
  return result;
}

function compose(
  s: Sizes,
  w: Weights,
  inputs: Float32Array[],
  causal: boolean,
  round?: typeof Math.fround,
) {
  const [x, y, z] = inputs;
  const { batch, queries, keys, heads, keyValueHeads, headSize, valueSize } = s;
  const project = (
    data: Float32Array,
    weight: Tensor,
    bias: Float32Array | undefined,
    rows: number,
  ) => linear(data, weight.data, bias, batch * rows, weight.dims[0], weight.dims[1], round);
  const mixed = attend(
    {
      batch,
      heads,
      keyValueHeads,
      queries,
      keys,
      headSize,
      valueSize,
      query: split(project(x, w.wq, w.bq, queries), batch, queries, heads),
      key: split(project(y, w.wk, w.bk, keys), batch, keys, keyValueHeads),
      value: split(project(z, w.wv, w.bv, keys), batch, keys, keyValueHeads),
      scale: 1 / Math.sqrt(headSize),
      present: () => true,
      visible: (_b, _h, i, j) => !causal || j <= i,
      bias: () => 0,
    },
    round,
  );
  const rows = split(mixed.output, batch, heads, queries);
  const output = linear(
    rows,
    w.dense.data,
    w.denseBias,
    batch * queries,
    heads * valueSize,
    s.outputSize,
    round,
  );
  return { output, weights: mixed.weights };
}

function inputsOf(s: Sizes, seed: number): [Tensor, Tensor, Tensor] {
  const input = (rows: number, size: number, offset: number) =>
    tensor(randomArray(s.batch * rows * size, seed + offset), [s.batch, rows, size]);
  return [
    input(s.queries, s.queryInput, 21),
    input(s.keys, s.keyInput, 22),
    input(s.keys, s.valueInput, 23),
  ];
}

for (const variant of variants) {
  for (const withBias of [true, false]) {
    test(`cross-attention of unequal sizes, ${withBias ? "" : "no "}biases, ${variant}`, async () => {
      const attention = await engine(variant);
      const used = attention.memory.used;
      const weights = weightsOf(cross, 100, withBias);
      const layer = MultiHeadAttention.fromMatrices(attention, weights, {
        heads: 6,
        keyValueHeads: 2,
      });
      const between = attention.memory.used;
      const inputs = inputsOf(cross, 200);
      for (const causal of [false, true]) {
        const [query, key, value] = inputs;
        const got = layer.forward({ query, key, value }, { causal, weights: true });
        const data = inputs.map((x) => x.data);
        const truth = compose(cross, weights, data, causal);
        const naive = compose(cross, weights, data, causal, Math.fround);
        assert.deepEqual(got.output.dims, [2, 9, 19]);
        assert.deepEqual(got.weights?.dims, [2, 6, 9, 21]);
        const output = shareOfTolerance(got.output.data, truth.output, [naive.output]);
        const seen = shareOfTolerance(got.weights!.data, truth.weights, [naive.weights]);
        assert.ok(output <= 1 && seen <= 1, `output ${output}, weights ${seen} of the tolerance`);
      }
      assert.equal(attention.memory.used, between, "a forward leaves nothing behind");
      layer.dispose();
      layer.dispose();
      assert.equal(attention.memory.used, used);
    });
  }

  test(`arguments left out: self-attention, and values that are the keys, ${variant}`, async () => {
    const attention = await engine(variant);
    const s = { ...cross, queries: 9, keys: 9, queryInput: 12, keyInput: 12, valueInput: 12 };
    const layer = MultiHeadAttention.fromMatrices(attention, weightsOf(s, 7, true), {
      heads: 6,
      keyValueHeads: 2,
    });
    const [x, y] = inputsOf(s, 300);
    assert.deepEqual(layer.forward(x).output, layer.forward({ query: x, key: x, value: x }).output);
    assert.deepEqual(
      layer.forward({ query: x, key: y }).output,
      layer.forward({ query: x, key: y, value: y }).output,
    );
    const one = tensor(x.data.slice(0, 9 * 12), [9, 12]);
    const alone = layer.forward(one, { weights: "mean", logSumExp: true });
    assert.deepEqual(alone.output.dims, [9, 19]);
    assert.deepEqual(alone.weights?.dims, [9, 9]);
    assert.deepEqual(alone.logSumExp?.dims, [6, 9]);
    const batched = layer.forward(x).output;
    assert.deepEqual(
      alone.output.data,
      batched.data.slice(0, 9 * 19),
      "a row's bits do not depend on the batch",
    );
  });

  test(`the same layer from plain, PyTorch and Keras weights, ${variant}`, async () => {
    const attention = await engine(variant);
    const s = {
      ...cross,
      keyValueHeads: 6,
      valueSize: 5,
      queryInput: 30,
      keyInput: 30,
      valueInput: 30,
      outputSize: 30,
      queries: 21,
    };
    for (const withBias of [true, false]) {
      const w = weightsOf(s, 400, withBias);
      const x = inputsOf(s, 500)[0];
      const plain = MultiHeadAttention.fromMatrices(attention, w, { heads: 6 }).forward(x).output;
      const rows = [w.wq, w.wk, w.wv].map(transpose);
      const out = { "out_proj.weight": transpose(w.dense), "out_proj.bias": w.denseBias };
      const biases = withBias ? concatenate([w.bq!, w.bk!, w.bv!]) : undefined;
      const packed = fromPyTorch(
        attention,
        {
          in_proj_weight: tensor(concatenate(rows.map((r) => r.data)), [90, 30]),
          in_proj_bias: biases,
          ...out,
        },
        { heads: 6 },
      );
      assert.deepEqual(packed.forward(x).output, plain);
      const [q_proj_weight, k_proj_weight, v_proj_weight] = rows;
      const separate = fromPyTorch(
        attention,
        {
          q_proj_weight,
          k_proj_weight,
          v_proj_weight,
          in_proj_bias: biases && tensor(biases, [90]),
          ...out,
        },
        { heads: 6 },
      );
      assert.deepEqual(separate.forward(x).output, plain);
      const kernels = [w.wq, w.wk, w.wv].map((m) => tensor(m.data, [30, 6, 5]));
      kernels.push(tensor(w.dense.data, [6, 5, 30]));
      const keras = withBias
        ? [
            [kernels[0], tensor(w.bq!, [6, 5])],
            [kernels[1], tensor(w.bk!, [6, 5])],
            [kernels[2], tensor(w.bv!, [6, 5])],
            [kernels[3], tensor(w.denseBias!, [30])],
          ].flat()
        : kernels;
      assert.deepEqual(fromKeras(attention, keras).forward(x).output, plain);
    }
  });

  test(`Keras's grouped heads are read from the kernels, ${variant}`, async () => {
    const attention = await engine(variant);
    const s = { ...cross, keyValueHeads: 2, queryInput: 30, keyInput: 30, valueInput: 30 };
    const w = weightsOf(s, 600, false);
    const x = inputsOf(s, 700)[0];
    const config = { heads: s.heads, keyValueHeads: 2 };
    const plain = MultiHeadAttention.fromMatrices(attention, w, config).forward(x).output;
    const split = ({ data, dims }: Tensor, heads: number) =>
      tensor(data, [dims[0], heads, dims[1] / heads]);
    const layer = fromKeras(attention, [
      split(w.wq, s.heads),
      split(w.wk, 2),
      split(w.wv, 2),
      tensor(w.dense.data, [s.heads, s.valueSize, s.outputSize]),
    ]);
    assert.deepEqual([layer.heads, layer.keyValueHeads], [s.heads, 2]);
    assert.deepEqual(layer.forward(x).output, plain);
  });
}

function transpose({ data, dims: [rows, columns] }: Tensor): Tensor {
  const result = Float32Array.from(
    data,
    (_, k) => data[(k % rows) * columns + Math.floor(k / rows)],
  );
  return tensor(result, [columns, rows]);
}

function concatenate(parts: Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}
