// A trained encoder-decoder on our layers: greedy output, padding, and causal decoding.

import assert from "node:assert/strict";
import { test } from "node:test";
import { logSumExp } from "../examples/write/sampling";
import { engine, variants } from "./engines";
import { needsModels } from "./models/folder";
import { Transliterator } from "./models/transliterator";

for (const variant of variants) {
  test(`Arabic to English, ${variant}`, needsModels, async (t) => {
    const model = new Transliterator(await engine(variant));

    await t.test("greedy decoding gives the published result", () => {
      assert.equal(model.greedy("آتزمون").text, "atzmon");
    });

    await t.test("the best of beams is as likely as the greedy one, or likelier", () => {
      const likelihood = (ids: readonly number[]) => {
        const { data, dims } = model.decode(model.encode(["محمد"]), [[...ids]]).logits;
        const next = [...ids.slice(1), end];
        const sum = next.reduce((total, id, row) => {
          const logits = data.subarray(row * dims[2], (row + 1) * dims[2]);
          return total + logits[id] - logSumExp(logits);
        }, 0);
        return sum / next.length;
      };
      const end = model.end;
      const beams = model.beams("محمد", 4);
      assert.equal(beams.length, 4);
      const found = beams.map(({ ids }) => likelihood(ids));
      assert.ok(found[0] >= likelihood(model.greedy("محمد").ids) - 1e-6, `${found}`);
      assert.deepEqual(
        found,
        found.toSorted((a, b) => b - a),
      );
      assert.equal(model.beams("آتزمون", 4)[0].text, "atzmon");
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
