// Inputs of more axes than [B, L, E]: masks, causal and returned weights, beside float64 on the folded
// sequences, where each query, key and head is looked up by its place along every axis.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import { input, model, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { MultiHeadAttention, type MultiHeadAttentionArgs } from "wasm-attention/tfjs";
import { backends, numbers, use } from "./backends";
import { close } from "./compare";
import "./relaxed";
import { layer as exact } from "./reference";

const [B, numHeads, keyDim, E, F] = [2, 2, 3, 6, 7];

interface Case {
  readonly name: string;
  /** Axes that are not attended over, those of the queries, those of the keys. */
  readonly free: number[];
  readonly queries: number[];
  readonly keys: number[];
  readonly args?: Partial<MultiHeadAttentionArgs>;
  readonly mask?: number[];
  /** The mask with all axes of [B, …free, H, …queries, …keys]; Keras's reading of `mask`. */
  readonly whole?: number[];
}

const one = { free: [3], queries: [4], keys: [5], args: { attentionAxes: -2 } };
const two = { free: [], queries: [2, 3], keys: [3, 2] };
const both = { free: [2], queries: [2, 2], keys: [3, 1], args: { attentionAxes: [2, 3] } };
const cases: Case[] = [
  { name: "causal over one of two axes", ...one, args: { ...one.args, useCausalMask: true } },
  { name: "causal over two axes", ...two, args: { useCausalMask: true } },
  { name: "[L, S] of one axis", ...one, mask: [4, 5], whole: [1, 1, 1, 4, 5] },
  { name: "[B, L, S] with a free axis", ...one, mask: [B, 4, 5], whole: [B, 1, 1, 4, 5] },
  { name: "[B, F, L, S]", ...one, mask: [B, 3, 4, 5], whole: [B, 3, 1, 4, 5] },
  { name: "[B, F, H, L, S]", ...one, mask: [B, 3, 2, 4, 5], whole: [B, 3, 2, 4, 5] },
  { name: "[1, F, 1, L, 1]", ...one, mask: [1, 3, 1, 4, 1], whole: [1, 3, 1, 4, 1] },
  {
    name: "[B, S] by its name",
    ...one,
    args: { ...one.args, attentionMask: "keys" },
    mask: [B, 5],
    whole: [B, 1, 1, 1, 5],
  },
  {
    name: "[B, F, S] by its name",
    ...one,
    args: { ...one.args, attentionMask: "keys" },
    mask: [B, 3, 5],
    whole: [B, 3, 1, 1, 5],
  },
  { name: "[B, S, S′]", ...two, mask: [B, 3, 2], whole: [B, 1, 1, 1, 3, 2] },
  { name: "[L, L′, S, S′]", ...two, mask: [2, 3, 3, 2], whole: [1, 1, 2, 3, 3, 2] },
  { name: "[B, L, L′, S, S′]", ...two, mask: [B, 2, 3, 3, 2], whole: [B, 1, 2, 3, 3, 2] },
  { name: "[B, H, L, L′, S, S′]", ...two, mask: [B, 2, 2, 3, 3, 2], whole: [B, 2, 2, 3, 3, 2] },
  { name: "[B, 1, L′, S, 1]", ...two, mask: [B, 1, 3, 3, 1], whole: [B, 1, 1, 3, 3, 1] },
  { name: "[B, F, L, L′, S, S′]", ...both, mask: [B, 2, 2, 2, 3, 1], whole: [B, 2, 1, 2, 2, 3, 1] },
];

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

/** Places along each axis of the element with this number. */
function placesOf(number: number, sizes: readonly number[]): number[] {
  const places: number[] = [];
  let rest = number;
  for (const size of sizes.toReversed()) {
    places.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return places;
}

for (const backend of backends) {
  for (const { name, free, queries, keys, args, mask, whole = [] } of cases) {
    test(`${backend}: ${name}`, async () => {
      await use(backend);
      tf.tidy(() => {
        const layer = new MultiHeadAttention({
          numHeads,
          keyDim,
          returnAttentionScores: true,
          ...(mask && { attentionMask: true }),
          ...args,
        });
        const batches = [B, ...free];
        const query = numbers([...batches, ...queries, E], 1);
        const value = numbers([...batches, ...keys, F], 2);
        const masks = mask ? [tf.cast(tf.greater(numbers(mask, 8), -0.4), "float32")] : [];
        const inputs = [query, value, ...masks];
        layer.build(inputs.map(({ shape }) => shape));
        layer.setWeights(layer.weights.map(({ shape }, at) => numbers(shape as number[], at + 20)));
        const [output, weights] = layer.apply(inputs) as tf.Tensor[];
        assert.deepEqual(output.shape, query.shape);
        assert.deepEqual(weights.shape, [...batches, numHeads, ...queries, ...keys]);
        assert.deepEqual(
          layer.computeOutputShape(inputs.map(({ shape }) => shape)),
          [output, weights].map(({ shape }) => shape),
        );

        const seen = masks[0]?.dataSync();
        const sees = (b: number, h: number, i: number, j: number) => {
          if (args?.useCausalMask) return j <= i;
          const places = [
            ...placesOf(b, batches),
            h,
            ...placesOf(i, queries),
            ...placesOf(j, keys),
          ];
          const at = whole.reduce(
            (sum, size, axis) => sum * size + (size === 1 ? 0 : places[axis]),
            0,
          );
          return seen[at] !== 0;
        };
        const folded = (x: tf.Tensor, sizes: number[]) => ({
          data: Float64Array.from(x.dataSync()),
          dims: [product(batches), product(sizes), x.shape.at(-1) as number] as [
            number,
            number,
            number,
          ],
        });
        const [q, v] = [folded(query, queries), folded(value, keys)];
        const parts = layer.weights.map((weight) => ({
          data: Float64Array.from(weight.read().dataSync()),
          dims: weight.shape as number[],
        }));
        close(output, exact([q, v, v], parts, sees).data, 1e-6, "output");
        const [L, S] = [product(queries), product(keys)];
        const given = weights.dataSync<"float32">();
        for (let row = 0; row < product(batches) * numHeads * L; row++) {
          const [b, h, i] = placesOf(row, [product(batches), numHeads, L]);
          const taking = Array.from({ length: S }, (_, j) => sees(b, h, i, j));
          const sum = given.slice(row * S, (row + 1) * S).reduce((x, y) => x + y, 0);
          assert.ok(Math.abs(sum - (taking.includes(true) ? 1 : 0)) < 1e-6, `${sum}`);
          for (const [j, takes] of taking.entries()) {
            assert.equal(given[row * S + j] > 0, takes, `${b}, ${h}, ${i}, ${j}`);
          }
        }
      });
    });
  }
}

test("in a model: shapes that are not known yet, and what comes out", async () => {
  await use("cpu");
  const [image, mask] = [input({ shape: [2, 3, E] }), input({ shape: [2, 3, 2, 3] })];
  const layer = new MultiHeadAttention({
    numHeads,
    keyDim,
    attentionMask: true,
    returnAttentionScores: true,
  });
  const outputs = layer.apply([image, mask]) as SymbolicTensor[];
  assert.deepEqual(
    outputs.map(({ shape }) => shape),
    [
      [null, 2, 3, E],
      [null, numHeads, 2, 3, 2, 3],
    ],
  );
  const given = [numbers([B, 2, 3, E], 1), tf.ones([B, 2, 3, 2, 3])];
  const [output, weights] = model({ inputs: [image, mask], outputs }).predict(given) as tf.Tensor[];
  const [direct] = layer.apply(given) as tf.Tensor[];
  assert.deepEqual(output.dataSync(), direct.dataSync());
  assert.deepEqual(weights.shape, [B, numHeads, 2, 3, 2, 3]);
});
