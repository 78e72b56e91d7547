// The recurrent translator: additive attention against its formula, every gradient along a direction, and a
// short training held to what it must reach and to what it must look at.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { AdditiveAttention } from "../examples/seq2seq-rnn/additive";
import { RecurrentTranslator } from "../examples/seq2seq-rnn/recurrent";
import { seeded } from "../examples/training/random";
import { numbers } from "../examples/translation/corpus";
import { type Model, Training } from "../examples/translation/train";
import { checkSlopes } from "./checks/slopes";
import { engine, randomArray } from "./engines";

test("additive attention: softmax(vᵀ tanh(W s + U h))·h, by its formula in float64", async () => {
  const attention = await engine("portable");
  const sizes = { state: 5, memory: 7, hidden: 3 };
  const additive = new AdditiveAttention(attention, sizes, seeded(1));
  for (const [i, { data }] of additive.parameters.entries()) data.set(randomArray(data.length, i));
  additive.update();
  const [W, b, U, c, v] = additive.parameters.map(({ data }) => data);
  const [longest, lengths] = [4, [4, 1, 3]];
  const rows = randomArray(3 * longest * 7, 20);
  const state = randomArray(3 * 5, 21);
  // What lies past a length is never read.
  for (const [batch, length] of lengths.entries())
    rows.fill(Number.NaN, (batch * longest + length) * 7, (batch + 1) * longest * 7);
  const got = additive.begin({ rows, lengths, longest }).step(state);
  for (const [batch, length] of lengths.entries()) {
    const times = (x: Float32Array, from: number, weight: Float32Array, ins: number, a: number) =>
      Array.from({ length: ins }, (_, i) => x[from + i] * weight[i * 3 + a]).reduce(
        (p, q) => p + q,
      );
    const scores = Array.from({ length }, (_, j) =>
      [0, 1, 2].reduce((sum, a) => {
        const query = times(state, batch * 5, W, 5, a) + b[a];
        const key = times(rows, (batch * longest + j) * 7, U, 7, a) + c[a];
        return sum + v[a] * Math.tanh(query + key);
      }, 0),
    );
    const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    const weights = scores.map((score) => Math.exp(score) / total);
    for (let j = 0; j < longest; j++) {
      const weight = got.weights[batch * longest + j];
      assert.ok(Math.abs(weight - (weights[j] ?? 0)) < 1e-6, `weight ${batch}, ${j}: ${weight}`);
      if (j >= length) assert.equal(weight, 0);
    }
    for (let d = 0; d < 7; d++) {
      const want = weights.reduce((s, w, j) => s + w * rows[(batch * longest + j) * 7 + d], 0);
      assert.ok(Math.abs(got.context[batch * 7 + d] - want) < 2e-6, `context ${batch}, ${d}`);
    }
  }
});

test("the gradient of every parameter, along a direction of its own", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  const model = new RecurrentTranslator(attention, 11, 13, seeded(7));
  const sources = [[4, 5, 6, 7, 8], [9], [10, 4, 5]];
  const targets = [[6], [5, 12, 4, 8], []];
  model.learn(sources, targets);
  checkSlopes(model, () => model.learn(sources, targets));
  model.dispose();
  assert.equal(attention.memory.used, used);
});

test("a short training: numbers it has not seen, and each word looked at when it is written", async () => {
  const attention = await engine("portable");
  const corpus = numbers(seeded(1), 4000, 150);
  const training = new Training<Model>(
    attention,
    corpus,
    1,
    (_, ...given) => new RecurrentTranslator(attention, ...given),
  );
  const losses = [...training.steps({ steps: 140, warmUp: 30, rate: 3e-3 })];
  assert.ok(losses.every(Number.isFinite));
  const exact = training.exactMatch(corpus.heldOut);
  assert.ok(exact >= 0.85, `${exact} exactly right`);
  const { source, target, weights } = training.align(
    "ninety-eight thousand seven hundred sixty-five",
    "achtundneunzigtausendsiebenhundertfünfundsechzig",
  );
  const looked = target.map((_, row) => {
    const own = weights.data.subarray(row * source.length, (row + 1) * source.length);
    assert.ok(Math.abs(own.reduce((a, b) => a + b) - 1) < 1e-5);
    return source[own.indexOf(Math.max(...own))];
  });
  const words = { acht: "eight", neun: "ninety", sieben: "seven", fünf: "five", sech: "sixty" };
  for (const [written, seen] of Object.entries(words))
    assert.equal(looked[target.indexOf(written)], seen, written);
  training.dispose();
});

test("--help says what there is", () => {
  const all = ["--import", "tsx", "examples/seq2seq-rnn/demo.ts", "--help"];
  const { status, stdout } = spawnSync(process.execPath, all, { encoding: "utf8" });
  assert.equal(status, 0);
  for (const option of ["--steps", "--seed", "--pairs", "--help"])
    assert.ok(stdout.includes(option));
});
