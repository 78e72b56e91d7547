// The models of examples/models from their weight files to their outputs, against float64 over the same weights,
// or the logits that are published for them: within 1e-5 of the largest element.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { readGguf, readSafetensors } from "wasm-attention/weights";
import { bert } from "../examples/models/bert";
import { llama } from "../examples/models/llama";
import { t5 } from "../examples/models/t5";
import { vit } from "../examples/models/vit";
import { bertModel, llamaModel, t5Model, vitModel } from "./drawn-models";
import { engine, randomArray, variants } from "./engines";
import { dataFile, needsData } from "./models/data";
import { bertReference, llamaReference, t5Reference, vitReference } from "./reference-models";

const SEED = 20261127;
/** Large enough that a norm without it would be seen. */
const EPS = 0.01;

/** The greatest difference by the largest element. */
function assertNear(got: Float32Array, want: ArrayLike<number>, what: string): void {
  assert.equal(got.length, want.length, what);
  const largest = Array.from(want).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = got.reduce((most, value, i) => Math.max(most, Math.abs(value - want[i])), 0);
  assert.ok(largest > 0.1 && Number.isFinite(largest), `${what}: the largest is ${largest}`);
  assert.ok(worst <= 1e-5 * largest, `${what}: ${worst / largest}`);
}

const ids = (count: number, below: number, seed: number) =>
  [...randomArray(count, seed)].map((value) => Math.floor(((value + 1) / 2) * below));

for (const variant of variants) {
  test(`BERT, ${variant}`, async () => {
    const attention = await engine(variant);
    const sizes = { layers: 3, heads: 4, eps: EPS };
    const config = { num_hidden_layers: 3, num_attention_heads: 4, layer_norm_eps: EPS };
    for (const seed of [SEED, SEED + 1]) {
      const { weights, bytes } = bertModel(seed);
      const file = await readSafetensors(bytes);
      const run = await bert(attention, file, config);
      assert.deepEqual(file.unread, ["pooler.dense.weight", "pooler.dense.bias"]);
      for (const count of [1, 7, 50]) {
        const text = ids(count, 60, seed + count);
        const { data, dims } = run(text);
        assert.deepEqual(dims, [1, count, 32]);
        assertNear(data, bertReference(weights, text, sizes), `seed ${seed}, ${count} tokens`);
      }
    }
  });

  test(`ViT, ${variant}`, async () => {
    const attention = await engine(variant);
    const sizes = { layers: 2, heads: 3, eps: EPS };
    const config = { num_hidden_layers: 2, num_attention_heads: 3, layer_norm_eps: EPS };
    for (const seed of [SEED, SEED + 1]) {
      const { weights, bytes } = vitModel(seed);
      const file = await readSafetensors(bytes);
      const run = await vit(attention, file, config);
      assert.deepEqual(file.unread, []);
      const image = tensor(randomArray(3 * 12 * 12, seed + 5, 2), [3, 12, 12]);
      const { data, dims } = run(image);
      assert.deepEqual(dims, [1, 7]);
      assertNear(data, vitReference(weights, image.data, sizes), `seed ${seed}`);
    }
  });

  for (const gated of [false, true]) {
    test(`T5, ${gated ? "1.1, with gates" : "1.0"}, ${variant}`, async () => {
      const attention = await engine(variant);
      const sizes = { layers: 2, heads: 3, eps: EPS };
      const config = { num_layers: 2, num_heads: 3, layer_norm_epsilon: EPS };
      for (const seed of [SEED, SEED + 1]) {
        const { weights, bytes } = t5Model(seed, gated);
        const file = await readSafetensors(bytes);
        const run = await t5(attention, file, config);
        assert.deepEqual(file.unread, []);
        for (const [from, to] of [
          [1, 1],
          [5, 9],
          [150, 40],
        ]) {
          const [source, written] = [ids(from, 70, seed + 2), ids(to, 70, seed + 3)];
          const { data, dims } = run(source, written);
          assert.deepEqual(dims, [1, to, 70]);
          const want = t5Reference(weights, source, written, sizes);
          assertNear(data, want, `seed ${seed}, ${from} to ${to}`);
        }
      }
    });
  }

  for (const tied of [false, true]) {
    test(`Llama, ${tied ? "with tied embeddings" : "with a head"}, ${variant}`, async () => {
      const attention = await engine(variant);
      const sizes = { layers: 3, heads: 6, keyValueHeads: 2, eps: 2 ** -17, base: 10000 };
      const { weights, bytes } = llamaModel(SEED, tied);
      const text = ids(33, 90, SEED);
      const want = llamaReference(weights, text, sizes);
      for (const cut of [33, 1, 7]) {
        const file = await readGguf(bytes);
        const append = await llama(attention, file);
        assert.deepEqual(file.unread, []);
        const logits: number[] = [];
        for (let from = 0; from < text.length; from += cut)
          logits.push(...append(text.slice(from, from + cut)).data);
        assertNear(Float32Array.from(logits), want, `${cut} tokens at once`);
      }
    });
  }

  test(`stories260K, the published logits, ${variant}`, needsData, async () => {
    const attention = await engine(variant);
    const { models } = JSON.parse(readFileSync(dataFile("weights/expected.json"), "utf8"));
    for (const name of ["stories260k-f16.gguf", "stories260k-q8_0.gguf"]) {
      for (const { prompt, tokens, last_logits } of models[name]) {
        const append = await llama(
          attention,
          await readGguf(readFileSync(dataFile(`weights/${name}`))),
        );
        assertNear(append(tokens).data.slice(-512), last_logits, `${name}, ${prompt}`);
      }
    }
  });
}

test("each takes at most 40 lines from its weight file to its output", () => {
  for (const name of ["bert", "vit", "llama", "t5"]) {
    const lines = readFileSync(`examples/models/${name}.ts`, "utf8").split("\n");
    const own = lines.filter((line) => line && !/^(import|\s*(\/\/|\/\*\*|\*))/.test(line));
    assert.ok(own.length <= 40, `${name}: ${own.length}`);
  }
});
