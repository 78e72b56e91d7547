// scaledDotProductAttention on both backends: the very numbers of attend and attendBackward, which
// are tested against float64 elsewhere, and the same as TensorFlow.js's own operations give.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import { type AttendOptions, type Attention, createAttention } from "wasm-attention";
import {
  linear,
  registerAttention,
  type ScaledDotProductOptions,
  scaledDotProductAttention,
} from "wasm-attention/tfjs";
import { attendBackward, type BackwardOptions, training } from "wasm-attention/training";
import { backends, numbers, use } from "./backends";
import { close, ours } from "./compare";
import "./relaxed";

interface Case {
  readonly name: string;
  readonly dims?: { query: number[]; key: number[]; value: number[] };
  readonly options?: Omit<ScaledDotProductOptions, "mask" | "alibi" | "sinks">;
  readonly mask?: () => tf.Tensor;
  readonly slopes?: number[];
  readonly sinks?: number[];
}

const [B, H, L, S, D, Dv] = [2, 4, 5, 7, 8, 6];
const heads = { query: [B, H, L, D], key: [B, H, S, D], value: [B, H, S, Dv] };
const gradients = { mask: true };

const cases: Case[] = [
  { name: "nothing else" },
  { name: "causal, a scale", options: { causal: "lower-right", scale: 0.3 } },
  { name: "grouped heads", dims: { ...heads, key: [B, 2, S, D], value: [B, 2, S, Dv] } },
  {
    name: "heads side by side",
    dims: { query: [B, L, H * D], key: [B, S, H * D], value: [B, S, H * Dv] },
    options: { layout: "BLE", heads: H },
  },
  { name: "without batch", dims: { query: [H, L, D], key: [H, S, D], value: [H, S, Dv] } },
  { name: "bool mask", mask: () => tf.greater(numbers([B, 1, L, S], 7), 0) },
  { name: "int32 mask", mask: () => tf.cast(tf.greater(numbers([1, S], 8), -0.5), "int32") },
  {
    name: "additive mask that learns",
    mask: () => numbers([1, H, L, S], 9),
    options: { gradients },
  },
  { name: "slopes", slopes: [0.5, 0.25, 0.1, 0.05], options: { gradients: { alibi: true } } },
  { name: "sinks", sinks: [0.5, -1, 2, 0], options: { gradients: { sinks: true } } },
  { name: "window, soft cap", options: { window: { left: 2, right: 1 }, softcap: 2 } },
  { name: "dropout", options: { dropout: { probability: 0.4, seed: 2 ** 40 + 5 } } },
  { name: "lengths", options: { keyLengths: [7, 0], queryLengths: [5, 3] } },
];

/** What attend and attendBackward give for the case. */
function direct(
  attention: Attention<"training">,
  c: Case,
  inputs: tf.Tensor[],
  outputGradient: tf.Tensor,
) {
  const [query, key, value] = inputs.map(ours);
  const { gradients: wanted, ...plain } = c.options ?? {};
  const options: Omit<AttendOptions, "out" | "scoreMod"> = { ...plain };
  const mask = c.mask?.();
  if (mask) options.mask = { data: mask.dataSync(), dims: mask.shape };
  if (c.slopes) options.alibi = { slopes: c.slopes };
  if (c.sinks) options.sinks = c.sinks;
  const { output, logSumExp } = attention.attend(query, key, value, {
    ...options,
    logSumExp: true,
  });
  assert.ok(logSumExp);
  const all: BackwardOptions = { ...options, gradients: wanted };
  const state = { output, logSumExp };
  const back = attendBackward(
    attention,
    { ...state, query, key, value, outputGradient: ours(outputGradient) },
    all,
  );
  const made = [back.queryGradient, back.keyGradient, back.valueGradient];
  for (const further of [back.maskGradient, back.slopesGradient, back.sinksGradient]) {
    if (further) made.push(further);
  }
  return { output, gradients: made };
}

/** The same through TensorFlow.js. */
function taped(c: Case, inputs: tf.Tensor[], outputGradient: tf.Tensor) {
  const further = {
    mask: c.mask?.(),
    alibi: c.slopes && tf.tensor1d(c.slopes),
    sinks: c.sinks && tf.tensor1d(c.sinks),
  };
  const names = (["mask", "alibi", "sinks"] as const).filter(
    (name) => c.options?.gradients?.[name],
  );
  const learning = [...inputs, ...names.map((name) => further[name] as tf.Tensor)];
  const call = (...given: tf.Tensor[]) => {
    const [query, key, value, ...others] = given;
    const all = {
      ...further,
      ...Object.fromEntries(names.map((name, index) => [name, others[index]])),
    };
    return scaledDotProductAttention(query, key, value, {
      ...c.options,
      mask: all.mask,
      alibi: all.alibi && { slopes: all.alibi },
      sinks: all.sinks,
    });
  };
  return { output: call(...learning), gradients: tf.grads(call)(learning, outputGradient) };
}

for (const backend of backends) {
  for (const c of cases) {
    test(`${backend}: ${c.name}: the bits of attend and attendBackward`, async () => {
      const attention = await use(backend);
      tf.tidy(() => {
        const dims = c.dims ?? heads;
        const inputs = [dims.query, dims.key, dims.value].map((shape, at) =>
          numbers(shape, at + 1),
        );
        const outputDims = [...dims.query.slice(0, -1), dims.value.at(-1) as number];
        const outputGradient = numbers(outputDims, 4);
        const expected = direct(attention, c, inputs, outputGradient);
        const got = taped(c, inputs, outputGradient);
        assert.deepEqual(got.output.shape, expected.output.dims);
        assert.deepEqual(got.output.dataSync(), expected.output.data);
        assert.equal(got.gradients.length, expected.gradients.length);
        for (const [index, gradient] of got.gradients.entries()) {
          assert.deepEqual(gradient.shape, expected.gradients[index].dims);
          assert.deepEqual(gradient.dataSync(), expected.gradients[index].data);
        }
      });
    });
  }

  test(`${backend}: as matMul, softmax and matMul, with gradients`, async () => {
    await use(backend);
    tf.tidy(() => {
      const inputs = [
        numbers([B, H, L, D], 1),
        numbers([B, H, S, D], 2),
        numbers([B, H, S, Dv], 3),
      ];
      const outputGradient = numbers([B, H, L, Dv], 4);
      const operations = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) =>
        tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(D))), v);
      const one = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) => scaledDotProductAttention(q, k, v);
      close(
        one(...(inputs as [tf.Tensor, tf.Tensor, tf.Tensor])),
        operations(...(inputs as [tf.Tensor, tf.Tensor, tf.Tensor])),
        1e-6,
      );
      const expected = tf.grads(operations)(inputs, outputGradient);
      const got = tf.grads(one)(inputs, outputGradient);
      for (const [index, gradient] of got.entries()) close(gradient, expected[index], 2e-6);
    });
  });

  test(`${backend}: linear, as matMul and add, with gradients`, async () => {
    await use(backend);
    tf.tidy(() => {
      const inputs = [numbers([2, 9, 12], 1), numbers([12, 5], 2), numbers([5], 3)];
      const outputGradient = numbers([2, 9, 5], 4);
      const operations = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor) =>
        tf.reshape(tf.add(tf.matMul(tf.reshape(x, [18, 12]), w as tf.Tensor2D), b), [2, 9, 5]);
      const [x, w, b] = inputs;
      close(linear(x, w, b), operations(x, w, b), 1e-6);
      const expected = tf.grads(operations)(inputs, outputGradient);
      for (const [index, gradient] of tf.grads(linear)(inputs, outputGradient).entries()) {
        close(gradient, expected[index], 2e-6);
      }
      const alone = tf.grad((given: tf.Tensor) => linear(given, w));
      close(alone(x, outputGradient), expected[0], 2e-6);
    });
  });

  test(`${backend}: nothing stays behind, in either memory`, async () => {
    const attention = await use(backend);
    const inputs = [numbers([B, H, L, D], 1), numbers([B, H, S, D], 2), numbers([B, H, S, Dv], 3)];
    const loss = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) =>
      tf.sum(scaledDotProductAttention(linear(q, numbers([D, D], 5)), k, v)) as tf.Tensor;
    const before = { tensors: tf.memory().numTensors, used: attention.memory.used };
    for (let i = 0; i < 3; i++) tf.dispose(tf.tidy(() => tf.grads(loss)(inputs)));
    tf.dispose(scaledDotProductAttention(inputs[0], inputs[1], inputs[2]));
    assert.deepEqual({ tensors: tf.memory().numTensors, used: attention.memory.used }, before);
    tf.dispose(inputs);
  });

  test(`${backend}: results are their own, not views of linear memory`, async () => {
    const attention = await use(backend);
    const [q, k, v] = [numbers([L, D], 1), numbers([S, D], 2), numbers([S, D], 3)];
    const output = scaledDotProductAttention(q, k, v);
    const given = [q, k, v].map((x) => x.dataSync().slice());
    const before = output.dataSync().slice();
    // Growing linear memory takes old views away, and other calls write where these did.
    const room = attention.allocate([1 << 20]);
    tf.tidy(() => scaledDotProductAttention(v, v, k));
    room.dispose();
    assert.deepEqual(output.dataSync(), before);
    for (const [index, x] of [q, k, v].entries()) assert.deepEqual(x.dataSync(), given[index]);
    tf.dispose([q, k, v, output]);
  });
}

test("a training step of 4096 positions keeps no matrix of weights, in either memory", async () => {
  const attention = await use("wasm");
  const n = 4096;
  const x = numbers([n, 8], 1);
  const reserved = attention.memory.reserved;
  const { peakBytes } = await tf.profile(() =>
    tf.grad((q: tf.Tensor) => scaledDotProductAttention(q, x, x))(x),
  );
  assert.ok(peakBytes < (n * n * 4) / 16, `${peakBytes} bytes of tensors`);
  const grown = attention.memory.reserved - reserved;
  assert.ok(grown < (n * n * 4) / 16, `${grown} bytes of linear memory`);
});

test("tensors of one backend are read on another", async () => {
  await use("cpu");
  const [q, k, v] = [numbers([L, D], 1), numbers([S, D], 2), numbers([S, D], 3)];
  const expected = scaledDotProductAttention(q, k, v);
  await use("wasm");
  close(scaledDotProductAttention(q, k, v), expected, 1e-6);
});

test("a second registration changes the engine, without a warning", async (t) => {
  const warned = t.mock.method(console, "warn", () => undefined);
  const first = await use("cpu");
  const second = await createAttention({ extensions: [training] });
  registerAttention(second);
  const x = tf.tensor2d([[1, 2]]);
  assert.deepEqual([...scaledDotProductAttention(x, x, x).dataSync()], [1, 2]);
  second.dispose();
  assert.throws(() => scaledDotProductAttention(x, x, x), { name: "DisposedError" });
  registerAttention(first);
  assert.equal(warned.mock.callCount(), 0);
});
