// A transformer's layers made smaller, in every form: of few bits against the layer of weights that were rounded
// one by one, without heads against the layer in which those heads' part of an attention is 0.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MultiHeadAttention, type Projection, type Tensor, tensor } from "wasm-attention";
import {
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  transformerBackward,
} from "wasm-attention/blocks";
import { headImportance, pruneHeads, quantizeLayer } from "wasm-attention/compress";
import { prepareQuantized } from "wasm-attention/quantized";
import { engine, randomArray, randomTensor, variants, type Whole } from "./engines";
import type { Form } from "./reference-transformer";
import {
  configOf,
  forms,
  forward,
  heads,
  layerOf,
  memory,
  memoryLengths,
  nameOf,
  parametersOf,
  size,
  weightsOf,
  x,
} from "./transformer-layers";

type Weights = ReturnType<typeof weightsOf>;
type Either = TransformerEncoderLayer | TransformerDecoderLayer;
/** As wide as what is called with it. */
type Matrix = Projection & { readonly weight: Tensor };
type Four = Record<"query" | "key" | "value" | "output", Matrix>;

function made(attention: Whole, form: Form, weights: object): Either {
  const config = configOf(form);
  if (form.decoder) return new TransformerDecoderLayer(attention, config, weights as Weights);
  const { crossAttention: _, norm3: __, ...own } = weights as Weights;
  return new TransformerEncoderLayer(attention, config, own);
}

const near = (got: Tensor, want: Tensor, most: number) => {
  assert.deepEqual(got.dims, want.dims);
  for (const [i, value] of want.data.entries()) {
    const error = Math.abs((got.data[i] as number) - value);
    assert.ok(error <= most, `${got.data[i]} for ${value}`);
  }
};

/** The projection's weight [out, in] with 0 for what a head gives. */
function without(projection: Matrix, head: number): Matrix {
  const { data, dims } = projection.weight;
  const masked = data.map((value, i) =>
    Math.floor((i % (dims[1] as number)) / (size / heads)) === head ? 0 : value,
  );
  return { ...projection, weight: tensor(masked, dims) };
}

for (const form of forms) {
  for (const variant of variants) {
    test(`of few bits, ${nameOf(form)}, ${variant}`, async () => {
      using attention = await engine(variant);
      const { used } = attention.memory;
      const parameters = parametersOf(form);
      using layer = layerOf(attention, form, parameters);
      for (const options of [
        { numbers: "int8" },
        { numbers: "int4", block: 16, activations: "float32" },
      ] as const) {
        const rounded: { dispose(): void }[] = [];
        const round = ({ weight, order, bias }: Matrix) => {
          const prepared = prepareQuantized(attention, weight, { ...options, order, bias });
          rounded.push(prepared);
          return prepared;
        };
        const four = ({ query, key, value, output }: Four) => ({
          query: round(query),
          key: round(key),
          value: round(value),
          output: round(output),
        });
        const { selfAttention, crossAttention, linear1, gate, linear2, ...norms } = weightsOf(
          form,
          parameters,
        );
        const before = attention.memory.used;
        const small =
          layer instanceof TransformerDecoderLayer
            ? quantizeLayer(layer, options)
            : quantizeLayer(layer, options);
        assert.ok(small.constructor === layer.constructor);
        const same = made(attention, form, {
          selfAttention: four(selfAttention),
          crossAttention: four(crossAttention),
          linear1: round(linear1),
          ...(gate && { gate: round(gate) }),
          linear2: round(linear2),
          ...norms,
        });
        assert.deepEqual(forward(small, form).output, forward(same, form).output);
        for (const part of [same, ...rounded]) part.dispose();
        small.dispose();
        small.dispose();
        assert.equal(attention.memory.used, before);
      }
      layer.dispose();
      assert.equal(attention.memory.used, used);
    });

    test(`without heads, ${nameOf(form)}, ${variant}`, async () => {
      using attention = await engine(variant);
      const { used } = attention.memory;
      const parameters = parametersOf(form);
      const layer = layerOf(attention, form, parameters);
      const weights = weightsOf(form, parameters);
      const { selfAttention, crossAttention } = weights;
      const masked = {
        ...weights,
        selfAttention: { ...selfAttention, output: without(selfAttention.output, 1) },
        crossAttention: { ...crossAttention, output: without(crossAttention.output, 0) },
      };
      const same = made(attention, form, masked);
      const small =
        layer instanceof TransformerDecoderLayer
          ? pruneHeads(layer, { selfAttention: [1], crossAttention: [0] })
          : pruneHeads(layer, [1]);
      const [got, want] = [small, same].map((one) => forward(one, form, { record: true }));
      near((got as typeof want & object).output, (want as typeof got & object).output, 1e-4);
      // It can learn further, as the layer that it stands for.
      const dy = tensor(randomArray(x.data.length, 9), x.dims);
      const [own, others] = [
        [small, got],
        [same, want],
      ].map((pair) => {
        const [one, result] = pair as [Either, NonNullable<typeof got>];
        return transformerBackward(one, dy, result.record as never);
      });
      near(own?.inputGradient as Tensor, others?.inputGradient as Tensor, 2e-3);
      near(own?.weights.linear1.weight as Tensor, others?.weights.linear1.weight as Tensor, 2e-3);
      assert.deepEqual(own?.weights.selfAttention.query.weight?.dims, [size / heads, size]);
      const attended = (one: Either) =>
        one instanceof TransformerDecoderLayer
          ? one.forward(x, memory, {
              weights: true,
              cross: { weights: true, keyLengths: memoryLengths },
            })
          : { ...one.forward(x, { weights: true }), crossWeights: undefined };
      const [left, all] = [attended(small), attended(layer)];
      assert.deepEqual(planes(left.weights), planes(all.weights, 0));
      if (form.decoder) assert.equal(left.crossWeights?.dims[1], heads - 1);
      for (const record of [got?.record, want?.record]) record?.dispose();
      for (const one of [layer, same, small]) one.dispose();
      assert.equal(attention.memory.used, used);
    });
  }
}

/** One head's plane of each batch. */
function planes({ data, dims: [batch, count, rows, keys] }: Tensor, head = 0): Float32Array[] {
  const plane = (rows as number) * (keys as number);
  return Array.from({ length: batch as number }, (_, b) => {
    const at = b * (count as number) + head;
    return data.slice(at * plane, (at + 1) * plane);
  });
}

test("the importance of a layer's heads is that of its attentions", async () => {
  using attention = await engine("portable");
  const form = forms.find(({ decoder }) => decoder) as Form;
  const parameters = parametersOf(form);
  using layer = layerOf(attention, form, parameters) as TransformerDecoderLayer;
  const { selfAttention, crossAttention } = weightsOf(form, parameters);
  const gradient = randomTensor([size, size], 3);
  for (const [of, weights] of [
    ["selfAttention", selfAttention],
    ["crossAttention", crossAttention],
  ] as const) {
    using alone = new MultiHeadAttention(attention, { heads }, weights as never);
    assert.deepEqual(headImportance(layer, gradient, { of }), headImportance(alone, gradient));
  }
  assert.deepEqual(
    headImportance(layer, gradient),
    headImportance(layer, gradient, { of: "selfAttention" }),
  );
});

test("a layer that does not fit is given back whole", async () => {
  const small = { maximumMemory: 2 ** 20 };
  using attention = await (engine("portable", small) as Promise<Whole>);
  const width = 96;
  const square = { weight: randomTensor([width, width], 1), order: "out,in" } as const;
  const four = { query: square, key: square, value: square, output: square };
  const weights = {
    selfAttention: four,
    linear1: square,
    linear2: square,
    norm1: { weight: new Float32Array(width) },
    norm2: {},
  };
  using layer = new TransformerEncoderLayer(attention, { heads: 4 }, weights);
  const { used } = attention.memory;
  for (const smaller of [
    () => quantizeLayer(layer, { numbers: "int8" }),
    () => pruneHeads(layer, [1]),
  ]) {
    const copies: TransformerEncoderLayer[] = [];
    assert.throws(
      () => {
        for (;;) copies.push(smaller());
      },
      { name: "MemoryError", message: /^(quantizeLayer|pruneHeads): "memory" expected / },
    );
    for (const copy of copies) copy.dispose();
    assert.equal(attention.memory.used, used);
  }
});
