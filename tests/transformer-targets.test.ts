// Where transformerBackward writes a layer's gradients: into what a caller gives, or added to it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AllocatedTensor, type Tensor, tensor } from "wasm-attention";
import {
  type TransformerBackwardOptions,
  type TransformerGradients,
  transformerBackward,
  transformerBackwardAsync,
} from "wasm-attention/blocks";
import { GradientTargets } from "../src/training/targets";
import { engine, randomArray } from "./engines";
import { forms, forward, layerOf, nameOf, parametersOf, x } from "./transformer-layers";

type Resizable = ArrayBuffer & { resize(bytes: number): void };
type Leaf = readonly [name: string, gradient: Tensor];

/** Every gradient by its name in `out`. */
function leaves(gradients: TransformerGradients): Leaf[] {
  const under = (of: string, tree: object): Leaf[] =>
    Object.entries(tree).flatMap(([name, part]) =>
      "data" in part && "dims" in part
        ? [[`${of}${name}`, part] as const]
        : under(`${of}${name}.`, part),
    );
  const { inputGradient: input, memoryGradient: memory, weights } = gradients;
  return [...under("", { input, ...(memory && { memory }) }), ...under("weights.", weights)];
}

/** An `out` of these targets. */
function outOf(targets: ReadonlyMap<string, unknown>): TransformerBackwardOptions["out"] {
  const out: Record<string, unknown> = {};
  for (const [name, target] of targets) {
    const path = name.split(".");
    const last = path.pop() as string;
    let at = out;
    for (const part of path) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[last] = target;
  }
  return out;
}

const dy = tensor(randomArray(x.data.length, 9), x.dims);

for (const form of forms) {
  test(`gradients in place, ${nameOf(form)}`, async () => {
    const attention = await engine("portable");
    const { used } = attention.memory;
    using layer = layerOf(attention, form, parametersOf(form));
    const pass = (options?: TransformerBackwardOptions) => {
      const { record } = forward(layer, form, { record: true });
      return transformerBackward(layer, dy, record as NonNullable<typeof record>, options);
    };
    const want = leaves(pass());
    assert.ok(want.length >= 12, `${want.length} gradients`);

    // An array, a tensor of plain numbers and one of linear memory in turns.
    const before = want.map(([, { data }], i) => randomArray(data.length, 40 + i));
    const targets = want.map(([name, { dims }], i): [string, Float32Array | Tensor] => {
      const data = before[i].slice();
      if (i % 3 === 0) return [name, data];
      if (i % 3 === 1) return [name, tensor(data, dims)];
      const placed = attention.allocate(dims);
      placed.data.set(data);
      return [name, placed];
    });
    const out = outOf(new Map(targets));
    const added = leaves(pass({ out, accumulate: true }));
    for (const [i, [name, { data, dims }]] of want.entries()) {
      const sums = data.map((value, at) => Math.fround(before[i][at] + value));
      const [, target] = targets[i];
      const [said, got] = added[i];
      assert.equal(said, name);
      assert.deepEqual([...got.data], [...sums], name);
      assert.deepEqual(got.dims, dims, name);
      if (i % 3 === 0) assert.equal(got.data, target, name);
      else assert.equal(got, target, name);
    }
    const written = leaves(pass({ out }));
    for (const [i, [name, { data }]] of want.entries())
      assert.deepEqual([...written[i][1].data], [...data], name);
    // Some of them: the others are new.
    const bias = new Float32Array(8);
    const { weights } = pass({ out: { weights: { linear2: { bias } } } });
    assert.equal(weights.linear2.bias?.data, bias);
    const plain = new Map(want);
    assert.deepEqual(bias, plain.get("weights.linear2.bias")?.data);
    assert.deepEqual(weights.linear1.weight, plain.get("weights.linear1.weight"));

    for (const [, target] of targets)
      if ("dispose" in target) (target as AllocatedTensor).dispose();
    layer.dispose();
    assert.equal(attention.memory.used, used);
  });
}

test("a target that is gone before the end: nothing is written, and the record stays", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  const form = forms[4];
  using layer = layerOf(attention, form, parametersOf(form));
  const { record } = forward(layer, form, { record: true });
  assert.ok(record);
  const input = new Float32Array(x.data.length);
  const placed = attention.allocate([8]);
  const out = { input, weights: { norm2: { bias: placed } } };
  const going = transformerBackwardAsync(layer, dy, record, { out });
  placed.dispose();
  await assert.rejects(going, {
    name: "DisposedError",
    message:
      'transformerBackwardAsync: "out.weights.norm2.bias" expected a tensor in use, got a disposed one',
  });
  assert.deepEqual(input, new Float32Array(input.length));

  transformerBackward(layer, dy, record, { out: { input }, accumulate: true });
  assert.ok(input.some((value) => value !== 0));
  layer.dispose();
  assert.equal(attention.memory.used, used);
});

test("a target that shrinks before the end is refused before any is written", () => {
  const Resizing = ArrayBuffer as unknown as new (bytes: number, most: object) => Resizable;
  const buffer = new Resizing(32, { maxByteLength: 32 });
  const [first, shrinking] = [new Float32Array(2), new Float32Array(buffer)];
  const targets = new GradientTargets("transformerBackwardAsync");
  targets.request("input", first, [2]);
  targets.request("weights.norm1.bias", shrinking, [8]);
  targets.open();
  buffer.resize(4);
  assert.throws(() => targets.open(), {
    name: "ArgumentError",
    message:
      'transformerBackwardAsync: "out.weights.norm1.bias" expected 8 elements until the call ends, got 1',
  });
});
