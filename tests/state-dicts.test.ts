// One layer's weights under the names that PyTorch's libraries give them, in objects and Maps.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MultiHeadAttention, type Tensor, tensor } from "wasm-attention";
import { fromPyTorch, type StateDict } from "wasm-attention/weights";
import { engine, randomArray } from "./engines";

const [E, heads, keyValueHeads, L] = [8, 4, 2, 5];
const random = (seed: number, ...dims: number[]) =>
  tensor(
    randomArray(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
    dims,
  );
const stacked = (...parts: Tensor[]) =>
  tensor(Float32Array.from(parts.flatMap(({ data }) => [...data])), [
    parts.reduce((rows, { dims }) => rows + (dims[0] as number), 0),
    ...parts[0].dims.slice(1),
  ]);

/** Matrices [rows, E] and biases of query, key, value and output. */
function weightsOf(keyRows: number) {
  const rows = [E, keyRows, keyRows, E];
  const matrices = rows.map((size, index) => random(index, size, E));
  return { matrices, biases: rows.map((size, index) => random(10 + index, size)) };
}

const named = (prefix: string, names: string[], parts: Tensor[]) =>
  Object.fromEntries(parts.map((part, index) => [prefix + names[index], part]));

test("transformers', lucidrains', timm's and PyTorch's own names make the same layer", async (t) => {
  const attention = await engine("portable");
  const x = random(99, L, E);
  const forward = (dict: StateDict, config: object, prefix?: string) => {
    const whole = { heads, ...config, ...(prefix !== undefined && { prefix }) };
    using layer = fromPyTorch(attention, dict, whole);
    return layer.forward(x).output;
  };
  for (const keys of [heads, keyValueHeads]) {
    const config = { keyValueHeads: keys };
    const { matrices, biases } = weightsOf((E / heads) * keys);
    const [query, key, value, output] = matrices.map((weight, index) => ({
      weight,
      order: "out,in" as const,
      bias: biases[index],
    }));
    using layer = new MultiHeadAttention(
      attention,
      { heads, ...config },
      { query, key, value, output },
    );
    const wanted = layer.forward(x).output;
    const [q, k, v, o] = matrices;
    const [bq, bk, bv, bo] = biases;
    const packed = (weight: string, bias: string, out: string): StateDict => ({
      [weight]: stacked(q, k, v),
      [bias]: stacked(bq, bk, bv).data,
      [`${out}.weight`]: o,
      [`${out}.bias`]: bo,
    });
    const separate = (names: string[], prefix = "") => ({
      ...named(
        prefix,
        names.map((name) => `${name}.weight`),
        matrices,
      ),
      ...named(
        prefix,
        names.map((name) => `${name}.bias`),
        biases,
      ),
    });
    const bert = ["self.query", "self.key", "self.value", "output.dense"];
    const llama = ["q_proj", "k_proj", "v_proj", "o_proj"];
    const other = { "model.layers.1.mlp.gate_proj.weight": random(50, E, E) };
    const dicts: Record<string, [StateDict, prefix?: string]> = {
      "nn.MultiheadAttention": [packed("in_proj_weight", "in_proj_bias", "out_proj")],
      "lucidrains' to_qkv": [packed("to_qkv.weight", "to_qkv.bias", "to_out.0")],
      "timm's qkv": [
        packed("blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.bias", "blocks.0.attn.proj"),
        "blocks.0.attn.",
      ],
      "Llama's": [
        { ...separate(llama, "model.layers.0.self_attn."), ...other },
        "model.layers.0.self_attn.",
      ],
      "BART's": [separate(["q_proj", "k_proj", "v_proj", "out_proj"])],
      "BERT's": [
        {
          ...separate(bert, "encoder.layer.3.attention."),
          "encoder.layer.3.attention.output.LayerNorm.weight": random(7, E),
        },
        "encoder.layer.3.attention.",
      ],
      "query, key, value, dense": [separate(["query", "key", "value", "dense"])],
      "lucidrains' to_q": [separate(["to_q", "to_k", "to_v", "to_out"])],
      "DistilBERT's": [separate(["q_lin", "k_lin", "v_lin", "out_lin"])],
      "T5's": [
        separate(["q", "k", "v", "o"], "encoder.block.2.layer.0.SelfAttention."),
        "encoder.block.2.layer.0.SelfAttention.",
      ],
    };
    for (const [name, [dict, prefix]] of Object.entries(dicts)) {
      await t.test(`${name}, ${keys} key heads`, () => {
        assert.deepEqual(forward(dict, config, prefix), wanted);
        assert.deepEqual(
          forward(new Map(Object.entries(dict)) as StateDict, config, prefix),
          wanted,
        );
      });
    }
    await t.test(`from linear memory, ${keys} key heads`, () => {
      const dict = Object.entries(separate(llama)).map(([name, { data, dims }]) => {
        const allocated = attention.allocate(dims);
        allocated.data.set(data);
        return [name, allocated] as const;
      });
      assert.deepEqual(forward(new Map(dict), config), wanted);
      for (const [, allocated] of dict) allocated.dispose();
    });
  }
});

test("weights that are missing or too many are named, with the prefixes there are", async () => {
  const attention = await engine("portable");
  const { matrices, biases } = weightsOf(E);
  const layer = (prefix: string) =>
    named(prefix, ["q_proj.weight", "k_proj.weight", "v_proj.weight", "out_proj.weight"], matrices);
  const refused: [StateDict, object, string][] = [
    [
      { ...layer("self_attn."), ...layer("encoder_attn.") },
      {},
      '"in_proj_weight" expected a tensor of this name, got none among the keys "self_attn.q_proj.weight", "self_attn.k_proj.weight", ' +
        '"self_attn.v_proj.weight", …: pass { prefix: "self_attn." or "encoder_attn." }',
    ],
    [{}, {}, '"in_proj_weight" expected a tensor of this name, got no tensors'],
    [
      {
        ...layer(""),
        in_proj_bias: stacked(biases[0], biases[1], biases[2]),
        "q_proj.bias": biases[0],
      },
      {},
      '"q_proj.bias" expected no such weight: the layer has no place for it, got an object with {data, dims}',
    ],
    [
      { ...layer(""), bias_k: random(1, 1, 1, E) },
      {},
      '"bias_v" expected a tensor of this name, got none among the keys "q_proj.weight", "k_proj.weight", "v_proj.weight", …',
    ],
    [layer("a."), { prefix: 3 }, '"prefix" expected a string, got 3'],
    [3 as never, {}, '"weights" expected tensors by name, in an object or a Map, got 3'],
    [
      Promise.resolve({}) as never,
      {},
      '"weights" expected tensors by name, in an object or a Map, got a Promise that was not awaited',
    ],
  ];
  for (const [dict, config, message] of refused) {
    assert.throws(() => fromPyTorch(attention, dict, { heads, ...config }), {
      name: "ArgumentError",
      message: `fromPyTorch: ${message}`,
    });
  }
});
