// Every refusal, by its error, its argument and, where it guides, its message.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import { input, layers, model, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import {
  ArgumentError,
  type Attention,
  createAttention,
  DisposedError,
  UnsupportedError,
} from "wasm-attention";
import {
  linear,
  MultiHeadAttention,
  type MultiHeadAttentionArgs,
  registerAttention,
  scaledDotProductAttention,
} from "wasm-attention/tfjs";
import { training } from "wasm-attention/training";
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

test("before registerAttention", async () => {
  // Nothing in this process has called it yet.
  await tf.setBackend("cpu");
  const x = tf.zeros([2, 2]);
  const expected =
    /registerAttention\(await createAttention\({ extensions: \[training\] }\)\) beforehand, got no engine/;
  refuses(() => scaledDotProductAttention(x, x, x), "attention", expected);
  refuses(() => linear(x, x), "attention", expected);
  refuses(() => new MultiHeadAttention(args).apply(tf.zeros([1, L, E])), "attention", expected);
  const engine = /registerAttention: .*createAttention\({ extensions: \[training\] }\), got/;
  for (const wrong of [{}, null, createAttention()])
    refuses(() => registerAttention(wrong as Attention<"training">), "attention", engine);
  // An engine whose layers could not learn is refused before a model is built on it.
  const without = await createAttention();
  // @ts-expect-error: nor does it type-check
  refuses(() => registerAttention(without), "attention", /, got one without training/);
  refuses(() => linear(x, x), "attention", expected);
  without.dispose();
});

test("tensors", async () => {
  await use("cpu");
  const x = numbers([L, E], 1);
  const ints = tf.zeros([L, E], "int32");
  refuses(() => scaledDotProductAttention(ints, x, x), "query.dtype", /float32, got int32/);
  refuses(() => scaledDotProductAttention(x, [1] as never, x), "key", /a tensor of TensorFlow.js/);
  refuses(() => scaledDotProductAttention(x, x, numbers([S, E], 1)), "value.dims");
  const ask = (options: object) => () => scaledDotProductAttention(x, x, x, options);
  refuses(ask(null as never), "options");
  refuses(
    ask({ weights: true }),
    "weights",
    /one of layout, .*, got an option that does not exist/,
  );
  refuses(ask({ is_causal: true }), "is_causal", /the name "causal"/);
  refuses(ask({ keyLength: [1] }), "keyLength", /the name "keyLengths"/);
  refuses(ask({ mask: [1] }), "mask");
  refuses(ask({ mask: tf.complex([1], [1]) }), "mask.dtype", /bool or int32 or float32/);
  refuses(ask({ alibi: { slopes: [1] } }), "alibi.slopes");
  refuses(ask({ sinks: [1] }), "sinks");
  refuses(ask({ gradients: true }), "gradients");
  refuses(ask({ gradients: { mask: true } }), "gradients.mask", /that is given/);
  refuses(ask({ gradients: { query: true } }), "gradients.query");
  refuses(ask({ dropout: { probability: 1, seed: 0 } }), "dropout.probability");
  refuses(() => linear(x, numbers([S, E], 1)), "kernel.shape", /in = 6, got \[4, 6\]/);
  refuses(() => linear(x, numbers([E], 1)), "kernel.shape");
  refuses(() => linear(x, numbers([E, S], 1), numbers([L], 1)), "bias");
  refuses(() => linear(ints, numbers([E, S], 1)), "x.dtype");
});

test("gradients that are not to be had", async () => {
  await use("cpu");
  const x = numbers([L, E], 1);
  const mask = numbers([L, L], 2);
  const ofMask = (given: tf.Tensor) => scaledDotProductAttention(x, x, x, { mask: given });
  refuses(() => tf.grad(ofMask)(mask), "gradients.mask", /true where it learns/);
  // A second derivative is no silent zero.
  const first = tf.grad((given) => scaledDotProductAttention(given, x, x));
  assert.throws(() => tf.grad(first)(x), /gradient function not found/);
  const layer = new MultiHeadAttention({ ...args, returnAttentionScores: true });
  const ofWeights = (given: tf.Tensor) => (layer.apply(given) as tf.Tensor[])[1];
  const squared = (given: tf.Tensor) => tf.sum(tf.square(ofWeights(given))) as tf.Tensor;
  refuses(() => tf.grad(squared)(numbers([1, L, E], 1)), "weights", /only the output/);
});

test("other backends", async () => {
  await use("cpu");
  const x = numbers([L, E], 1);
  tf.registerBackend("other", () => new tf.KernelBackend());
  tf.setBackend("other");
  assert.throws(
    () => scaledDotProductAttention(x, x, x),
    (error) => {
      assert.ok(error instanceof UnsupportedError);
      assert.match(error.message, /TensorFlow.js's backend cpu or wasm, got "other"/);
      return true;
    },
  );
  await use("cpu");
});

test("constructor arguments", () => {
  const make = (more: object) => () =>
    new MultiHeadAttention({ ...args, ...more } as MultiHeadAttentionArgs);
  refuses(() => new MultiHeadAttention(undefined as never), "args");
  refuses(
    make({ numHead: 2 }),
    "numHead",
    /the name "numHeads", got an option that does not exist/,
  );
  refuses(make({ causalMask: true }), "causalMask", /the name "useCausalMask"/);
  refuses(make({ returnAttentionScore: true }), "returnAttentionScore", /"returnAttentionScores"/);
  refuses(make({ zzz: true }), "zzz", /expected one of numHeads, keyDim, /);
  refuses(make({ useBias: true, use_bias: false }), "useBias", /one value with useBias, got two/);
  refuses(
    make({ name: "mine", numHeads: 0 }),
    "numHeads",
    /^MultiHeadAttention "mine": "numHeads"/,
  );
  refuses(make({ numHeads: 0 }), "numHeads");
  refuses(make({ keyDim: 1.5 }), "keyDim");
  refuses(make({ valueDim: "3" }), "valueDim");
  refuses(make({ dropout: 1 }), "dropout");
  refuses(make({ seed: -1 }), "seed");
  refuses(make({ useBias: 1 }), "useBias");
  refuses(make({ outputShape: [0] }), "outputShape");
  refuses(make({ attentionAxes: ["1"] }), "attentionAxes");
  refuses(make({ useCausalMask: "yes" }), "useCausalMask");
  refuses(make({ returnAttentionScores: 1 }), "returnAttentionScores");
  refuses(make({ attentionMask: 1 }), "attentionMask");
  refuses(make({ attentionMask: "BT" }), "attentionMask", /a boolean or one of keys, pairs/);
  refuses(make({ activityRegularizer: "l1l2" }), "activityRegularizer", /not supported/);
  refuses(make({ use_gate: true }), "useGate");
  assert.throws(make({ kernelInitializer: "nobody" }), /Unknown initializer/);
});

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

test("a disposed engine", async () => {
  await use("cpu");
  const x = numbers([1, L, E], 1);
  const layer = new MultiHeadAttention({ ...args, name: "mine" });
  layer.apply(x);
  const gone = await createAttention({ extensions: [training] });
  registerAttention(gone);
  gone.dispose();
  const disposed = (call: () => unknown, name: string) =>
    assert.throws(call, (error) => {
      assert.ok(error instanceof DisposedError, `${error}`);
      assert.equal(error.argument, "attention");
      assert.ok(
        error.message.startsWith(`${name}: "attention" expected an engine in use`),
        error.message,
      );
      return true;
    });
  disposed(() => layer.apply(x), 'MultiHeadAttention "mine"');
  disposed(() => scaledDotProductAttention(x, x, x), "scaledDotProductAttention");
  disposed(() => linear(x, numbers([E, S], 1)), "linear");
  await use("cpu");
  disposed(() => registerAttention(gone), "registerAttention");
  layer.apply(x); // the engine before is still the one
});

test("what the kernels refuse names the operation that was called", async () => {
  await use("cpu");
  const x = numbers([L, E], 1);
  const said = (call: () => unknown) => {
    try {
      call();
    } catch (error) {
      return String(error);
    }
    return "nothing";
  };
  assert.match(
    said(() => scaledDotProductAttention(x, numbers([S, E + 1], 1), x)),
    /scaledDotProductAttention: /,
  );
  assert.match(
    said(() => scaledDotProductAttention(x, x, x, { casual: true } as never)),
    /"casual" expected the name "causal"/,
  );
  assert.match(
    said(() => linear(x, numbers([E, S], 1), numbers([L], 1))),
    /ArgumentError: linear: "bias/,
  );
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
