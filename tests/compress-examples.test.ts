// examples/compress in short: what few bits, low rank and fewer heads leave of what two models get right.

import assert from "node:assert/strict";
import { test } from "node:test";
import { importances, leastFirst } from "../examples/compress/digits";
import { FORMS, type Form, factoredOf, layerOf } from "../examples/compress/forms";
import { measureDigits, measureSearch } from "../examples/compress/measure";
import { chart, type Row, table } from "../examples/compress/table";
import { readDigits } from "../examples/digits/images";
import { DigitTransformer } from "../examples/digits/model";
import { recognise, train } from "../examples/digits/training";
import { SentenceEncoder } from "../examples/semantic-search/encoder";
import { readModelFile, readSentences } from "../examples/semantic-search/files";
import { QUESTIONS } from "../examples/semantic-search/questions";
import { seeded } from "../examples/training/random";
import { engine } from "./engines";

const named = (rows: readonly Row[]) => (name: string) => {
  const row = rows.find((one) => one.name === name);
  assert.ok(row, name);
  return row;
};

test("the digits' transformer of few bits, low rank and fewer heads", async (t) => {
  const attention = await engine("portable");
  const random = seeded(2026);
  const model = new DigitTransformer(attention, random);
  const course = { steps: 120, batch: 64, rate: 5e-3 };
  for (const _ of train(attention, model, readDigits("train"), course, random));
  const digits = readDigits("test");
  const { used } = attention.memory;
  const slopes = importances(attention, model, digits, 40);
  assert.equal(attention.memory.used, used);
  const order = slopes.map(leastFirst);
  const images = 500;
  const of = { order, images, rounds: 1 };
  const rows = measureDigits(attention, model, digits, of);
  for (const line of table(rows, "recognised")) t.diagnostic(line);
  const row = named(rows);
  const whole = row("float32");
  const guesses = recognise(model, digits, images);
  const known = guesses.filter((guess, i) => guess === digits.labels[i]).length;
  // The same network as that which learnt.
  assert.ok(Math.abs(whole.right - known / images) <= 0.004, `${whole.right} for ${known}`);
  assert.ok(whole.right >= 0.6, `${whole.right}`);
  assert.ok(row("int8").bytes <= 0.31 * whole.bytes && row("int8").agreed >= 0.985);
  assert.ok(row("int4").bytes <= 0.22 * whole.bytes && row("int4").agreed >= 0.9);
  assert.ok(row("int8, inputs too").agreed >= 0.93);
  assert.ok(row("one head less").bytes <= 0.9 * whole.bytes && row("one head less").agreed >= 0.85);
  assert.ok(row("rank 1/2").bytes <= 0.9 * whole.bytes && row("rank 1/2").agreed >= 0.9);
  assert.ok(row("one head less, int8").bytes <= 0.27 * whole.bytes);
  // Heads are of different weight, and the least of them went.
  for (const [block, slope] of slopes.entries()) {
    const sorted = Array.from(slope).sort((a, b) => a - b);
    assert.ok((sorted[0] as number) > 0 && (sorted[0] as number) < 0.8 * (sorted[3] as number));
    assert.equal(slope[order[block]?.[0] as number], sorted[0]);
  }
  attention.dispose();
});

test("the sentence encoder of few bits finds the same", async (t) => {
  const attention = await engine("relaxed");
  const { used } = attention.memory;
  const load = (form: Form) =>
    SentenceEncoder.load(attention, readModelFile, {
      product: (projection) => factoredOf(attention, projection, form),
      heads: (layer) => layerOf(layer, form),
    });
  const sentences = await readSentences();
  const forms = FORMS.filter(({ name }) => ["float32", "int8", "int4"].includes(name));
  const asked = { questions: QUESTIONS, sentences };
  const rows = await measureSearch(attention, load, asked, { rounds: 1, forms });
  assert.equal(attention.memory.used, used);
  for (const line of table(rows, "first found")) t.diagnostic(line);
  const row = named(rows);
  assert.equal(row("int8").right, 1);
  assert.ok(row("int8").agreed >= 0.96 && row("int8").bytes <= 0.27 * row("float32").bytes);
  assert.ok(row("int4").right >= 0.8 && row("int4").bytes <= 0.2 * row("float32").bytes);
  const drawn = chart(rows, "The encoder & its forms", "found");
  assert.equal(drawn.match(/<rect class="bytes"/g)?.length, 3);
  assert.match(drawn, /The encoder &amp; its forms/);
  attention.dispose();
});
