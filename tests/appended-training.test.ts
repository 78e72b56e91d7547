// What a bias key and value are beside training: their place, their update, and mean weights.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appendedKeys, MultiHeadAttention } from "wasm-attention";
import { multiHeadBackward } from "wasm-attention/training";
import { engine, randomTensor, variants } from "./engines";

const of = (seed: number, ...dims: number[]) => randomTensor(dims, seed);

const [B, L, H, Hkv, D, Dv] = [2, 9, 4, 2, 5, 3];
const [queryInput, keyInput, valueInput, outputSize] = [11, 13, 7, 19];

const weights = {
  wq: of(1, queryInput, H * D),
  wk: of(2, keyInput, Hkv * D),
  wv: of(3, valueInput, Hkv * Dv),
  dense: of(4, H * Dv, outputSize),
};
const bias = { key: of(5, 1, 1, Hkv * D), value: of(6, Hkv * Dv) };
const inputsOf = (S: number) => [
  of(21, B, L, queryInput),
  of(22, B, S, keyInput),
  of(23, B, S, valueInput),
];
const dy = of(24, B, L, outputSize);

for (const variant of variants) {
  test(`a bias key and value are trained: places, sums, updates, ${variant}`, async () => {
    const attention = await engine(variant);
    const inputs = inputsOf(21);
    const config = { heads: H, keyValueHeads: Hkv };
    using layer = MultiHeadAttention.fromMatrices(attention, weights, {
      ...config,
      appended: appendedKeys({ biasKeyValue: bias }),
    });
    const run = (options?: object) => {
      const { record } = layer.forward(
        { query: inputs[0], key: inputs[1], value: inputs[2] },
        { record: true },
      );
      assert.ok(record);
      return multiHeadBackward(layer, dy, record, options).biasKeyValue;
    };
    const first = run();
    assert.ok(first);
    const out = { key: of(1, 1, 1, Hkv * D), value: new Float32Array(Hkv * Dv) };
    const placed = run({ out: { biasKeyValue: out } });
    assert.equal(placed?.key, out.key);
    assert.equal(placed?.value.data, out.value);
    assert.deepEqual(placed, first);
    run({ out: { biasKeyValue: out }, accumulate: true });
    assert.deepEqual(
      out.value,
      first.value.data.map((g) => 2 * g),
    );

    const next = { key: of(41, Hkv * D), value: of(42, Hkv * Dv) };
    using other = MultiHeadAttention.fromMatrices(attention, weights, {
      ...config,
      appended: appendedKeys({ biasKeyValue: next }),
    });
    const forward = (made: MultiHeadAttention) =>
      made.forward({ query: inputs[0], key: inputs[1], value: inputs[2] }).output;
    const { record } = layer.forward(
      { query: inputs[0], key: inputs[1], value: inputs[2] },
      { record: true },
    );
    layer.update({ biasKeyValue: next });
    assert.deepEqual(forward(layer), forward(other));
    // A record holds the bias that its forward pass read.
    assert.deepEqual(multiHeadBackward(layer, dy, record!).biasKeyValue, first);
  });

  test(`mean weights are rounded alike with and without a bias key, ${variant}`, async () => {
    const attention = await engine(variant);
    const inputs = inputsOf(21);
    for (const biasKeyValue of [undefined, bias]) {
      using layer = MultiHeadAttention.fromMatrices(attention, weights, {
        heads: H,
        keyValueHeads: Hkv,
        appended: appendedKeys({ biasKeyValue }),
      });
      const [each, mean] = ([true, "mean"] as const).map(
        (weights) =>
          layer.forward({ query: inputs[0], key: inputs[1], value: inputs[2] }, { weights })
            .weights!,
      );
      const plane = each.data.length / (B * H);
      // w · (1/H) added up head by head, each step in float32.
      const want = mean.data.map((_, k) => {
        const [b, at] = [Math.floor(k / plane), k % plane];
        let sum = 0;
        for (let h = 0; h < H; h++)
          sum = Math.fround(
            sum + Math.fround(each.data[(b * H + h) * plane + at] * Math.fround(1 / H)),
          );
        return sum;
      });
      assert.deepEqual(mean.data, want);
    }
  });
}
