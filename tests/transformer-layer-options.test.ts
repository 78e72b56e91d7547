// Transformer layers: dropout, threads and asynchronous calls, caches, updates, weights by Keras's names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  decoderFromKeras,
  TransformerDecoderLayer,
  type TransformerEncoderLayer,
  transformerBackward,
  transformerBackwardAsync,
} from "wasm-attention/blocks";
import { createCache } from "wasm-attention/cache";
import { bitsOf, createWhole, engine, randomArray } from "./engines";
import type { Form } from "./reference-transformer";
import {
  batch,
  dictOf,
  forms,
  forward,
  heads,
  layerOf,
  memory,
  memoryLengths,
  parametersOf,
  rows,
  size,
  x,
} from "./transformer-layers";

test("dropout: the same by seed, and its gradient along one direction", async () => {
  const attention = await engine("portable");
  for (const form of forms) {
    using layer = layerOf(attention, form, parametersOf(form));
    const dropout = { probability: 0.25, seed: 3 };
    const dy = tensor(randomArray(x.data.length, 9), x.dims);
    const along = randomArray(x.data.length, 10);
    const moved = (by: number) => {
      const data = x.data.map((value, i) => value + by * along[i]);
      const { output } = forward(layer, form, { dropout }, tensor(data, x.dims));
      return output.data.reduce((sum, y, i) => sum + y * dy.data[i], 0);
    };
    const step = forward(layer, form, { dropout, record: true });
    assert.deepEqual(step.output, forward(layer, form, { dropout }).output);
    const other = forward(layer, form, { dropout: { probability: 0.25, seed: 4 } });
    assert.notDeepEqual(step.output, other.output);
    assert.ok(step.record);
    const { inputGradient } = transformerBackward(layer, dy, step.record);
    const got = inputGradient.data.reduce((sum, g, i) => sum + g * along[i], 0);
    // Small steps: at 1e-3 few activations of relu turn over.
    const want = (moved(1e-3) - moved(-1e-3)) / 2e-3;
    assert.ok(Math.abs(got - want) < 2e-2 * Math.max(1, Math.abs(want)), `${got}, not ${want}`);
  }
});

test("threads and asynchronous calls change no bit", async () => {
  using one = await engine("relaxed");
  using two = await createWhole({ threads: 2 });
  const form = forms.at(-1) as Form;
  const passes = await Promise.all(
    [one, two].flatMap((attention) =>
      [false, true].map(async (later) => {
        using layer = layerOf(attention, form, parametersOf(form)) as TransformerDecoderLayer;
        const wide = tensor(randomArray(64 * 40 * size, 11), [64, 40, size]);
        const other = tensor(randomArray(64 * 30 * size, 12), [64, 30, size]);
        const options = { record: true, weights: true, cross: { weights: "mean" } } as const;
        const step = later
          ? await layer.forwardAsync(wide, other, options)
          : layer.forward(wide, other, options);
        const { record, ...results } = step;
        const back = later
          ? await transformerBackwardAsync(layer, wide, record)
          : transformerBackward(layer, wide, record);
        const { weights, inputGradient } = back;
        return bitsOf({ ...results, inputGradient, ...weights.linear1, ...weights.norm3 });
      }),
    ),
  );
  for (const pass of passes) assert.deepEqual(pass, passes[0]);
});

test("a cache: token by token as all at once, and untouched by a pass that fails", async () => {
  const attention = await engine("portable");
  for (const normFirst of [false, true]) {
    const form = { ...forms[1], normFirst, causal: true };
    using layer = layerOf(attention, form, parametersOf(form)) as TransformerEncoderLayer;
    const whole = layer.forward(x, { causal: true }).output;
    using cache = createCache(attention, {
      ...{ keyValueHeads: heads, headSize: size / heads, sequences: batch },
    });
    for (let i = 0; i < rows; i++) {
      const token = (data: Float32Array) =>
        [0, 1].flatMap((b) => [...data.subarray((b * rows + i) * size, (b * rows + i + 1) * size)]);
      const given = tensor(Float32Array.from(token(x.data)), [batch, 1, size]);
      const out = new Float32Array(3);
      assert.throws(() => layer.forward(given, { cache, out } as never), { argument: "out" });
      assert.equal(cache.length(), i);
      assert.deepEqual([...layer.forward(given, { cache }).output.data], token(whole.data));
    }
    assert.equal(cache.length(1), rows);
  }
});

test("a cache with rotary embeddings: token by token as all at once with them", async () => {
  const attention = await engine("portable");
  const rotary = { pairing: "interleaved" } as const;
  for (const form of [{ ...forms[5], decoder: false }, forms[9]]) {
    using layer = layerOf(attention, form, parametersOf(form));
    const decoder = layer instanceof TransformerDecoderLayer;
    const pass = (given: Tensor, options: object) =>
      decoder ? layer.forward(given, memory, options) : layer.forward(given, options);
    const positions = [3, 50];
    const whole = pass(x, { causal: true, rotary, positions }).output;
    using cache = createCache(attention, {
      ...{ keyValueHeads: heads, headSize: size / heads, sequences: batch, rotary },
    });
    for (let i = 0; i < rows; i++) {
      const token = (data: Float32Array) =>
        [0, 1].flatMap((b) => [...data.subarray((b * rows + i) * size, (b * rows + i + 1) * size)]);
      const given = tensor(Float32Array.from(token(x.data)), [batch, 1, size]);
      const at = positions.map((first) => first + i);
      const { output } = pass(given, { cache, positions: at });
      assert.deepEqual([...output.data], token(whole.data));
    }
  }
});

test("scale: of both attentions, unless a call says so", async () => {
  const attention = await engine("portable");
  for (const form of forms) {
    const { causal } = form;
    const parameters = parametersOf(form);
    using plain = layerOf(attention, form, parameters);
    using scaled = layerOf(attention, form, parameters, { scale: 1 });
    const pass = (layer: typeof plain, own?: number, cross?: number) => {
      const lengths = { keyLengths: memoryLengths };
      const options = { causal, record: true, ...(own !== undefined && { scale: own }) } as const;
      const { output, record } =
        layer instanceof TransformerDecoderLayer
          ? layer.forward(x, memory, {
              ...options,
              cross: { ...lengths, ...(cross !== undefined && { scale: cross }) },
            })
          : layer.forward(x, options);
      return { output, gradients: transformerBackward(layer, output, record) };
    };
    assert.deepEqual(pass(scaled), pass(plain, 1, 1));
    assert.deepEqual(pass(scaled, 0.25, 0.5), pass(plain, 0.25, 0.5));
    assert.notDeepEqual(pass(scaled).output, pass(plain).output);
  }
});

test("update, and Keras's names", async () => {
  const attention = await engine("portable");
  const form = forms[6];
  assert.ok(form.decoder);
  const [a, b] = [parametersOf(form, 1), parametersOf(form, 2)];
  using first = layerOf(attention, form, a);
  using second = layerOf(attention, form, b);
  const dict = dictOf(b);
  const matrix = (name: string) => ({
    weight: dict[`${name}.weight`],
    bias: dict[`${name}.bias`],
  });
  const thirds = (name: string, index: number) => ({
    weight: tensor(
      b[`${name}.in_proj_weight`].subarray(index * size ** 2, (index + 1) * size ** 2),
      [size, size],
    ),
    bias: b[`${name}.in_proj_bias`].subarray(index * size, (index + 1) * size),
  });
  const attend = (name: string) => ({
    query: thirds(name, 0),
    key: thirds(name, 1),
    value: thirds(name, 2),
    output: matrix(`${name}.out_proj`),
  });
  const update = {
    selfAttention: attend("self_attn"),
    crossAttention: attend("multihead_attn"),
    linear1: matrix("linear1"),
    linear2: matrix("linear2"),
    norm1: matrix("norm1"),
    norm2: matrix("norm2"),
    norm3: matrix("norm3"),
  };
  const before = forward(first, form).output;
  assert.throws(() => first.update({ ...update, norm3: { weight: new Float32Array(3) } }), {
    message: `update: "norm3.weight" expected ${size} elements, got 3`,
  });
  assert.deepEqual(forward(first, form).output, before, "nothing is changed by one that fails");
  first.update(update);
  assert.deepEqual(forward(first, form).output, forward(second, form).output);

  const turned = ({ data, dims: [outs, ins] }: Tensor) =>
    Float32Array.from(data, (_, k) => data[(k % outs) * ins + Math.floor(k / outs)]);
  const depth = size / heads;
  const keras: Record<string, Tensor> = {};
  for (const [place, name] of [
    ["self_attention", "self_attn"],
    ["cross_attention", "multihead_attn"],
  ]) {
    for (const [index, part] of ["query", "key", "value"].entries()) {
      const { weight, bias } = thirds(name, index);
      keras[`${place}/${part}/kernel`] = tensor(turned(weight), [size, heads, depth]);
      keras[`${place}/${part}/bias`] = tensor(bias, [heads, depth]);
    }
    const { weight, bias } = matrix(`${name}.out_proj`);
    keras[`${place}/attention_output/kernel`] = tensor(turned(weight), [heads, depth, size]);
    keras[`${place}/attention_output/bias`] = bias;
  }
  for (const [place, name] of [
    ["feedforward_intermediate_dense", "linear1"],
    ["feedforward_output_dense", "linear2"],
  ]) {
    const { weight, bias } = matrix(name);
    keras[`${place}/kernel`] = tensor(turned(weight), [...weight.dims].reverse());
    keras[`${place}/bias`] = bias;
  }
  for (const [index, place] of ["self_attention", "cross_attention", "feedforward"].entries()) {
    const { weight, bias } = matrix(`norm${index + 1}`);
    keras[`${place}_layer_norm/gamma`] = weight;
    keras[`${place}_layer_norm/beta`] = bias;
  }
  const { activation, normFirst } = form;
  const config = { heads, activation, normFirst, prefix: "decoder/" };
  const prefixed = new Map(
    Object.entries(keras).map(([name, value]) => [`decoder/${name}`, value]),
  );
  prefixed.set("other/kernel", keras["self_attention/query/kernel"]);
  using third = decoderFromKeras(attention, prefixed, config);
  assert.deepEqual(forward(third, form).output, forward(second, form).output);
});
