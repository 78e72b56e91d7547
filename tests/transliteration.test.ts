// A trained encoder-decoder on our layers: greedy output, padding, and causal decoding.

import assert from "node:assert/strict";
import { test } from "node:test";
import { engine, variants } from "./engines";
import { needsModels } from "./models/folder";
import { Transliterator } from "./models/transliterator";

for (const variant of variants) {
  test(`Arabic to English, ${variant}`, needsModels, async (t) => {
    const model = new Transliterator(await engine(variant));

    await t.test("greedy decoding gives the published result", () => {
      assert.equal(model.greedy("آتزمون").text, "atzmon");
    });

    await t.test("padding changes no state of a shorter word", () => {
      const words = ["آتزمون", "سلام", "محمد"];
      const batch = model.encode(words);
      const [, rows, size] = batch.states.dims;
      words.forEach((word, b) => {
        const alone = model.encode([word]).states.data;
        const padded = batch.states.data.slice(b * rows * size, b * rows * size + alone.length);
        assert.deepEqual(padded, alone, "the same bits");
      });
    });

    await t.test("each step sees what the whole sees: causal", () => {
      const memory = model.encode(["آتزمون"]);
      const { ids } = model.greedy("آتزمون");
      const whole = model.decode(memory, [ids]).logits.data;
      for (let length = 1; length <= ids.length; length++) {
        const part = model.decode(memory, [ids.slice(0, length)]).logits.data;
        assert.deepEqual(part, whole.slice(0, part.length), "the same bits");
      }
    });

    await t.test("cross-attention weights of a row sum to 1, padding gets none", () => {
      const memory = model.encode(["محمد", "آتزمون"]);
      const ids = model.greedy("محمد").ids;
      for (const { data, dims } of model.decode(memory, [ids, ids]).weights) {
        const [, heads, rows, keys] = dims;
        assert.deepEqual(dims, [2, 8, ids.length, 6]);
        for (let row = 0; row < 2 * heads * rows; row++) {
          const weights = data.slice(row * keys, (row + 1) * keys);
          assert.ok(Math.abs(weights.reduce((a, b) => a + b) - 1) < 1e-6);
          if (row < heads * rows) assert.deepEqual([...weights.slice(4)], [0, 0]);
        }
      }
    });
  });
}
