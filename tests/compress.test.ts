// Layers made smaller: the projections of few bits, and heads taken away, each against what it stands for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appendedKeys, MultiHeadAttention, type Tensor, tensor } from "wasm-attention";
import { headImportance, pruneHeads, quantizeLayer } from "wasm-attention/compress";
import { prepareQuantized } from "wasm-attention/quantized";
import { multiHeadBackward } from "wasm-attention/training";
import { engine, randomArray, randomTensor, variants, type Whole } from "./engines";

const NAMES = ["query", "key", "value", "output"] as const;
type Sizes = {
  heads: number;
  keyValueHeads: number;
  size: number;
  valueSize: number;
  width: number;
};

/** Projections of a layer, in both orders, with and without biases. */
function projections({ heads, keyValueHeads, size, valueSize, width }: Sizes, seed: number) {
  const outputs = {
    query: heads * size,
    key: keyValueHeads * size,
    value: keyValueHeads * valueSize,
    output: width,
  };
  const all = NAMES.map((name, index) => {
    const order = index % 2 ? "in,out" : "out,in";
    const dims = [outputs[name], name === "output" ? heads * valueSize : width];
    const weight = randomTensor(order === "in,out" ? dims.reverse() : dims, seed + index, 0.4);
    const bias = index === 2 ? undefined : randomArray(outputs[name], seed + 10 + index);
    return [name, { weight, order, bias }] as const;
  });
  return Object.fromEntries(all) as unknown as Record<
    (typeof NAMES)[number],
    { weight: Tensor; order: "out,in" | "in,out"; bias: Float32Array | undefined }
  >;
}

const sizes: Sizes = { heads: 6, keyValueHeads: 3, size: 5, valueSize: 7, width: 21 };
const appended = (seed: number) => ({
  biasKeyValue: {
    key: randomTensor([1, 1, 15], seed, 0.5),
    value: randomTensor([1, 1, 21], seed + 1),
  },
  addZeroAttention: true,
});

for (const variant of variants) {
  test(`quantizeLayer: the layer of its projections rounded, ${variant}`, async () => {
    using attention = await engine(variant);
    const { used } = attention.memory;
    const weights = projections(sizes, 1);
    const config = { heads: 6, keyValueHeads: 3, appended: appendedKeys(appended(20)) };
    const layer = new MultiHeadAttention(attention, config, weights);
    const x = randomTensor([2, 11, 21], 2);
    for (const options of [
      { numbers: "int8" },
      { numbers: "int4", block: 16 },
      { numbers: "int8", activations: "float32" },
      { numbers: "int4", activations: "int8" },
    ] as const) {
      const entries = NAMES.map((name) => {
        const { weight, order, bias } = weights[name];
        return [name, prepareQuantized(attention, weight, { ...options, order, bias })] as const;
      });
      const own = Object.fromEntries(entries) as never;
      using same = new MultiHeadAttention(attention, config, own);
      const before = attention.memory.used;
      const quantized = quantizeLayer(layer, options);
      assert.match(JSON.stringify(quantized), new RegExp(`"numbers":"${options.numbers}"`));
      const [got, want] = [quantized, same].map((one) => one.forward(x).output);
      assert.deepEqual(got, want);
      quantized.dispose();
      quantized.dispose();
      assert.equal(attention.memory.used, before);
      for (const [, weight] of entries) weight.dispose();
    }
    layer.dispose();
    assert.equal(attention.memory.used, used);
  });

  test(`quantizeLayer: rows longer than lie together, ${variant}`, async () => {
    using attention = await engine(variant);
    const wide: Sizes = { heads: 3, keyValueHeads: 3, size: 5, valueSize: 90, width: 531 };
    const weights = projections(wide, 1);
    using layer = new MultiHeadAttention(attention, { heads: 3 }, weights);
    const entries = NAMES.map((name) => {
      const { weight, order, bias } = weights[name];
      return [name, prepareQuantized(attention, weight, { numbers: "int8", order, bias })] as const;
    });
    using same = new MultiHeadAttention(
      attention,
      { heads: 3 },
      Object.fromEntries(entries) as never,
    );
    using quantized = quantizeLayer(layer, { numbers: "int8" });
    const x = randomTensor([2, 4, 531], 2);
    assert.deepEqual(quantized.forward(x).output, same.forward(x).output);
    for (const [, weight] of entries) weight.dispose();
  });

  test(`pruneHeads: the layer in which those heads' part of the output is 0, ${variant}`, async () => {
    using attention = await engine(variant);
    const { used } = attention.memory;
    const x = randomTensor([2, 9, 21], 3);
    for (const [given, gone] of [
      [{ ...sizes, keyValueHeads: 6 }, [1, 4]],
      [sizes, [0, 1]],
      [sizes, [0, 3, 5]],
      [sizes, []],
      [sizes, [5, 4, 3, 2]],
    ] as const) {
      const { heads, keyValueHeads } = given;
      const weights = projections(given, 4);
      const config = { heads, keyValueHeads };
      const layer = new MultiHeadAttention(attention, config, weights);
      const pruned = pruneHeads(layer, gone);
      // A mask over heads of 0 and 1.
      const { weight } = weights.output;
      const masked = weight.data.map((value, i) => {
        const input = Math.floor(i / given.width);
        return (gone as readonly number[]).includes(Math.floor(input / given.valueSize))
          ? 0
          : value;
      });
      const output = { ...weights.output, weight: tensor(masked, weight.dims) };
      assert.equal(output.order, "in,out");
      using same = new MultiHeadAttention(attention, config, { ...weights, output });
      assert.equal(pruned.heads, heads - gone.length);
      const [got, want] = [pruned, same].map((one) => one.forward(x, { causal: true }).output.data);
      for (const [i, value] of (want as Float32Array).entries()) {
        assert.ok(Math.abs((got?.[i] as number) - value) <= 2e-5, `${got?.[i]} for ${value}`);
      }
      const left = pruned.forward(x, { weights: true }).weights;
      const all = layer.forward(x, { weights: true }).weights;
      const kept = Array.from({ length: heads }, (_, h) => h).filter(
        (h) => !gone.includes(h as never),
      );
      for (let b = 0; b < 2; b++) {
        for (const [i, head] of kept.entries()) {
          const plane = ({ data }: Tensor, count: number, h: number) =>
            data.slice((b * count + h) * 81, (b * count + h + 1) * 81);
          assert.deepEqual(plane(left, kept.length, i), plane(all, heads, head));
        }
      }
      layer.dispose();
      pruned.dispose();
    }
    assert.equal(attention.memory.used, used);
  });

  test(`headImportance is the slope of a mask over heads, ${variant}`, async () => {
    using attention = await engine(variant);
    const weights = projections(sizes, 6);
    using layer = new MultiHeadAttention(attention, { heads: 6, keyValueHeads: 3 }, weights);
    const x = randomTensor([1, 8, 21], 7);
    const outputGradient = randomTensor([1, 8, 21], 8);
    const { record } = layer.forward(x, { record: true });
    const gradients = multiHeadBackward(layer, outputGradient, record);
    const importance = headImportance(layer, gradients.weights.output.weight);
    const { weight } = weights.output;
    /** Σ output · gradient, which is linear in the mask. */
    const loss = (head: number, mask: number) => {
      const data = weight.data.map((value, i) =>
        Math.floor(i / 21 / 7) === head ? value * mask : value,
      );
      const output = { ...weights.output, weight: tensor(data, weight.dims) };
      using masked = new MultiHeadAttention(
        attention,
        { heads: 6, keyValueHeads: 3 },
        { ...weights, output },
      );
      const { data: y } = masked.forward(x).output;
      return y.reduce((sum, value, i) => sum + value * (outputGradient.data[i] as number), 0);
    };
    assert.equal(importance.length, 6);
    for (const [head, value] of importance.entries()) {
      const slope = Math.abs(loss(head, 1.5) - loss(head, 0.5));
      assert.ok(Math.abs(value - slope) <= 1e-4 * (1 + slope), `${value} for ${slope}`);
    }
  });
}

test("a layer's keys of its own go with their heads", async () => {
  using attention = await engine("portable");
  const weights = projections(sizes, 9);
  const given = appended(30);
  const config = { heads: 6, keyValueHeads: 3, appended: appendedKeys(given) };
  using layer = new MultiHeadAttention(attention, config, weights);
  using pruned = pruneHeads(layer, [2, 3]);
  const x = randomTensor([1, 4, 21], 10);
  const all = layer.forward(x, { weights: true }).weights;
  const left = pruned.forward(x, { weights: true }).weights;
  const plane = 4 * 6;
  for (const [i, head] of [0, 1, 4, 5].entries()) {
    assert.deepEqual(
      left.data.slice(i * plane, (i + 1) * plane),
      all.data.slice(head * plane, (head + 1) * plane),
    );
  }
  const bias = {
    key: tensor(
      Float32Array.from([
        ...given.biasKeyValue.key.data.slice(0, 5),
        ...given.biasKeyValue.key.data.slice(10),
      ]),
      [10],
    ),
    value: tensor(
      Float32Array.from([
        ...given.biasKeyValue.value.data.slice(0, 7),
        ...given.biasKeyValue.value.data.slice(14),
      ]),
      [14],
    ),
  };
  const before = pruned.forward(x).output;
  pruned.update({ biasKeyValue: bias });
  assert.deepEqual(pruned.forward(x).output, before);
});

/** Nothing stays allocated where memory runs out. */
test("a layer that does not fit is given back whole", async () => {
  using attention = await (engine("portable", { maximumMemory: 2 ** 20 }) as Promise<Whole>);
  const width = 128;
  const weights = projections({ heads: 4, keyValueHeads: 4, size: 32, valueSize: 32, width }, 11);
  using layer = new MultiHeadAttention(attention, { heads: 4 }, weights);
  const { used } = attention.memory;
  const copies: MultiHeadAttention[] = [];
  assert.throws(
    () => {
      for (;;) copies.push(quantizeLayer(layer, { numbers: "int8" }));
    },
    { name: "MemoryError", message: /^quantizeLayer: "memory" expected / },
  );
  for (const copy of copies) copy.dispose();
  assert.equal(attention.memory.used, used);
});
