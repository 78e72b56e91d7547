// Refusals of what a layer is called with, by its error, its argument and, where it guides, its message.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import { input, layers, model, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { ArgumentError } from "wasm-attention";
import { MultiHeadAttention, type MultiHeadAttentionArgs } from "wasm-attention/tfjs";
import { numbers, use } from "./backends";

const [L, S, E] = [5, 4, 6];
const args = { numHeads: 2, keyDim: 3 };

function refuses(call: () => unknown, argument: string, message?: RegExp): void {
  assert.throws(call, (error) => {
    assert.ok(error instanceof ArgumentError, `${error}`);
    assert.equal(error.argument, argument);
    if (message) assert.match(error.message, message);
    return true;
  });
}

test("inputs", async () => {
  await use("cpu");
  const x = input({ shape: [L, E] });
  const on = (more: object, ...shapes: (number | null)[][]) => {
    const inputs = shapes.map((shape) => input({ shape }));
    return () => new MultiHeadAttention({ ...args, ...more }).apply(inputs);
  };
  refuses(on({}, [E]), "query.shape", /\[B, …, L, E\], got 2 axes/);
  refuses(on({}, [L, null]), "query.shape", /a known last axis/);
  refuses(on({}, [L, E], [E]), "value.shape");
  refuses(on({}, [L, E], [S, E], [S + 1, E]), "key.shape");
  refuses(
    on({}, [L, E], [L, E], [L, E], [L, E]),
    "inputs",
    /a mask is one more, with attentionMask: true\), got 4 inputs/,
  );
  refuses(on({ attentionMask: true }, [L, E]), "inputs", /and a mask, got 1 inputs/);
  refuses(on({ attentionMask: true }, [L, E], []), "mask.shape");
  refuses(on({ attentionAxes: 1 }, [L, S, E]), "attentionAxes", /last axes before the features/);
  refuses(on({ attentionAxes: [1, 3] }, [2, 2, 2, E]), "attentionAxes");
  // B, L and S of [B, 2, 3, E] on itself, attended over two axes: no mask has seven axes, or L = 4.
  const image = (mask: number[]) => on({ attentionMask: true }, [2, 3, E], mask);
  refuses(image([2, 3, 2, 3, 1, 1]), "mask.shape", /in the order of the input's axes/);
  refuses(image([4, 3, 2, 3]), "mask.shape", /= \[null, 2, 2, 3, 2, 3\], got \[null, 4, 3, 2, 3\]/);
  refuses(
    on({ attentionMask: "keys" }, [L, E], [L, S]),
    "mask.shape",
    /2 axes for \[B, S\], got \[null, 5, 4\]/,
  );
  const layer = new MultiHeadAttention(args);
  layer.apply(x);
  refuses(
    () => layer.apply(numbers([1, L, E + 1], 1)),
    "query.shape",
    /with E = 6, got \[1, 5, 7\]/,
  );
});

test("each names the layer and the input", async () => {
  await use("cpu");
  const layer = new MultiHeadAttention({ ...args, name: "mine" });
  const x = numbers([2, L, E], 1);
  const of = (argument: string) => new RegExp(`^MultiHeadAttention "mine": "${argument}"`);
  // Called before it has weights.
  refuses(
    () => layer.call(x),
    "weights",
    /"mine": .* build\(shapes\) beforehand, or apply\(inputs\)/,
  );
  layer.apply(x);
  const ints = tf.zeros([2, L, E], "int32");
  refuses(() => layer.apply(ints), "query.dtype", of("query.dtype"));
  refuses(() => layer.call([x, ints]), "value.dtype", of("value.dtype"));
  refuses(() => layer.apply([x, x, ints]), "key.dtype", of("key.dtype"));
  refuses(() => layer.apply(input({ shape: [L, E], dtype: "int32" })), "query.dtype", /got int32/);
  refuses(() => layer.apply([x, [1] as never]), "value", /a tensor of TensorFlow.js/);
  refuses(() => layer.call(x, { training: 1 }), "training", /a boolean, got 1/);
  refuses(() => layer.apply(x, { training: "yes" }), "training", of("training"));
  refuses(() => layer.apply([x, numbers([1, S, E + 1], 1)]), "value.shape", of("value.shape"));
  const masked = new MultiHeadAttention({ ...args, name: "mine", attentionMask: true });
  masked.apply([x, tf.ones([2, L, L])]);
  refuses(() => masked.apply([x, tf.ones([2, L, S])]), "mask.shape", of("mask.shape"));
  refuses(() => masked.apply([x, tf.complex([1], [1])]), "mask.dtype", of("mask.dtype"));
});

test("a mask of two axes: by its sizes, and where they leave it open by its name", async () => {
  await use("cpu");
  const x = numbers([L, L, E], 1); // as many batches as queries
  const mask = tf.cast(tf.greater(numbers([L, L], 8), 0), "float32");
  const open = new MultiHeadAttention({ ...args, attentionMask: true });
  refuses(
    () => open.apply([x, mask]),
    "mask.shape",
    /"keys" .* or "pairs" .*, since B = L = 5 leaves open/,
  );
  const apply = (
    form: MultiHeadAttentionArgs["attentionMask"],
    of: tf.Tensor,
    given: tf.Tensor,
  ) => {
    const made = new MultiHeadAttention({ ...args, attentionMask: form });
    made.build([of.shape, given.shape]);
    made.setWeights(made.weights.map(({ shape }, at) => numbers(shape as number[], at + 20)));
    return (made.apply([of, given]) as tf.Tensor).dataSync();
  };
  const run = (form: MultiHeadAttentionArgs["attentionMask"], given: tf.Tensor) =>
    apply(form, x, given);
  const whole = [L, L, L];
  assert.deepEqual(run("keys", mask), run(true, tf.broadcastTo(tf.expandDims(mask, 1), whole)));
  assert.deepEqual(run("pairs", mask), run(true, tf.broadcastTo(tf.expandDims(mask, 0), whole)));
  assert.notDeepEqual(run("keys", mask), run("pairs", mask));
  // One row is both.
  const row = tf.slice(mask, [0, 0], [1, L]);
  assert.deepEqual(run(true, row), run("pairs", row));
  // Two batches of five queries: the sizes tell.
  const two = tf.slice(x, [0, 0, 0], [2, L, E]);
  const of = (form: MultiHeadAttentionArgs["attentionMask"], given: tf.Tensor) =>
    apply(form, two, given);
  assert.deepEqual(of(true, mask), of("pairs", mask));
  const keys = tf.slice(mask, [0, 0], [2, L]);
  assert.deepEqual(of(true, keys), of("keys", keys));
});

test("a third input that is a mask is no key", async () => {
  await use("cpu");
  const x = numbers([2, L, E], 1);
  const mask = tf.cast(tf.greater(numbers([2, L, L], 8), 0), "float32");
  const layer = new MultiHeadAttention({ ...args, name: "mine" });
  const guide = /"mine": "key" expected a key: attentionMask: true .* \[2, 5, 5\] of nothing but/;
  refuses(() => layer.apply([x, x, mask]), "key", guide);
  refuses(() => layer.apply([x, x, tf.mul(mask, -1e9)]), "key", guide);
  refuses(() => layer.apply([x, x, tf.ones([2, L])]), "key.shape", /attentionMask: true if it is/);
  // In a model too, whose shapes alone do not tell.
  const [a, b] = [input({ shape: [L, E] }), input({ shape: [L, L] })];
  const outputs = new MultiHeadAttention(args).apply([a, a, b]) as SymbolicTensor;
  refuses(() => model({ inputs: [a, b], outputs }).predict([x, mask]), "key");
  // A key of that shape is taken, and one of ones where the caller says so.
  layer.apply([x, x, numbers([2, L, L], 3)]);
  const named = new MultiHeadAttention({ ...args, attentionMask: false });
  named.apply([x, x, mask]);
});

test("keywords: TensorFlow.js writes them down and does not pass them on", async () => {
  await use("cpu");
  const x = input({ shape: [L, E] });
  const layer = new MultiHeadAttention(args);
  const guide = /value, key and mask are inputs, the rest arguments of the constructor/;
  refuses(() => layer.apply(x, { useCausalMask: true }), "useCausalMask", guide);
  refuses(() => layer.apply(x, { value: x }), "value", guide);
  refuses(() => layer.apply(x, { training: true }), "training", guide);
  refuses(() => layer.apply(numbers([1, L, E], 1), { value: 1 }), "value", guide);
  layer.apply(x, { mask: null });
  layer.apply(x, null);
});

test("masks of earlier layers: refused where they come with an input, else passed over", async () => {
  await use("cpu");
  const x = input({ shape: [L, E] });
  const masked = layers.masking({}).apply(x) as SymbolicTensor;
  const attend = (given: SymbolicTensor | SymbolicTensor[]) =>
    new MultiHeadAttention(args).apply(given) as SymbolicTensor;
  const run = (outputs: SymbolicTensor) =>
    model({ inputs: x, outputs }).predict(numbers([1, L, E], 1)) as tf.Tensor;
  const guide = /as the last input, with attentionMask: true, got one of input/;
  refuses(() => run(attend(masked)), "mask", guide);
  refuses(() => run(attend([x, masked])), "mask", guide);

  // TensorFlow.js hands the mask that the LSTM was given to all layers after it.
  const lstm = layers.lstm({ units: E, recurrentInitializer: "glorotUniform" });
  const repeated = layers.repeatVector({ n: L }).apply(lstm.apply(masked)) as SymbolicTensor;
  const layer = new MultiHeadAttention(args);
  const output = run(layer.apply(repeated) as SymbolicTensor);
  assert.deepEqual(output.dataSync(), (layer.apply(run(repeated)) as tf.Tensor).dataSync());
});
