// Every refusal, by its error, its argument and, where it guides, its message.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
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
