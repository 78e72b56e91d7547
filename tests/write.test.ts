// The writing example: its text, its model as it is trained and as it writes, and the model that comes with
// it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ArgumentError } from "wasm-attention";
import { readSafetensors } from "wasm-attention/weights";
import { seeded } from "../examples/training/random";
import { train } from "../examples/write/course";
import { BigramCounts, losses } from "../examples/write/evaluation";
import { searchBeams, write } from "../examples/write/generate";
import { LanguageModel, type Shape } from "../examples/write/language-model";
import { look } from "../examples/write/look";
import { greedy } from "../examples/write/sampling";
import { plain, Vocabulary } from "../examples/write/text";
import { namesOf, packModel, unpackModel } from "../examples/write/weights";
import { Writer } from "../examples/write/writer";
import { checkSlopes } from "./checks/slopes";
import { createWhole, engine, variants, type Whole } from "./engines";

/** SHA-256 over the losses and parameters of a short course: the same on every engine. */
const DIGEST = "208c99e6ca587b97fce1e70916894dd67254b07a7e5d7bd63c6177bcf670a9f8";

const SHAPE: Shape = { vocabulary: 31, size: 32, heads: 4, layers: 2, hidden: 48 };
const COURSE = { steps: 12, batch: 3, length: 24, rate: 3e-3 };
/** A text with something to learn: i² mod 31 and some of it at random. */
const PIECES = Int32Array.from({ length: 900 }, (_, i) =>
  i % 7 === 3 ? (i * 11) % 31 : (i * i) % 31,
);

const shipped = () => readFileSync(new URL("../examples/write/model.safetensors", import.meta.url));
const ids = (count: number, seed = 5) => {
  const { below } = seeded(seed);
  return Array.from({ length: count }, () => below(SHAPE.vocabulary));
};
const names = Array.from({ length: SHAPE.vocabulary }, (_, id) => `▁${id}`);

function untrained(attention: Whole) {
  const model = new LanguageModel(attention, SHAPE, seeded(9));
  return { model, file: packModel(SHAPE, new Vocabulary(names), model.parameters) };
}

test("a text is put into the letters there are; what is known comes back", () => {
  assert.equal(
    plain("He  said: \"It's the 'Pequod' -- é & \n\n\n she\n sails.\""),
    "He said: “It’s the ‘Pequod’ — and ¶ she sails.”",
  );
  const vocabulary = Vocabulary.learn(["the whale ¶ the ship", "the sea"]);
  assert.equal(
    vocabulary.decode(vocabulary.encode("the sea\n\nthe whale")),
    "the sea\n\nthe whale",
  );
  assert.equal(vocabulary.decode(vocabulary.encode("the ZZZ")).trim(), "the");
  assert.equal(vocabulary.encode("").length, 1);
});

test("counted pairs: Witten and Bell's formula, a probability", () => {
  const counts = new BigramCounts(4, [
    [0, 1, 2, 1, 2],
    [0, 1, 3],
  ]);
  const single = [3, 4, 3, 2].map((count) => count / 12);
  // After 1 came 2 twice and 3 once, of three times that it was seen.
  assert.equal(counts.probability(1, 2), (2 + 2 * single[2]) / 5);
  assert.equal(counts.probability(1, 0), (2 * single[0]) / 5);
  assert.equal(counts.probability(3, 0), single[0]);
  const sum = [0, 1, 2, 3].reduce((total, id) => total + counts.probability(1, id), 0);
  assert.ok(Math.abs(sum - 1) < 1e-12);
});

test("the model's gradients are those of its loss, by finite differences", async () => {
  const attention = await createWhole({ reproducible: true });
  const { model } = untrained(attention);
  const text = Int32Array.from(ids(12));
  const targets = Int32Array.from(ids(12, 6));
  model.learn(text, targets, 2);
  checkSlopes(model, () => model.loss(text, targets, 2).loss);
  attention.dispose();
});

test("a short course learns, and ends in the same bits for any threads, on every engine", async () => {
  for (const threads of [1, 2]) {
    const attention = await createWhole({ threads, reproducible: true });
    const random = seeded(3);
    const model = new LanguageModel(attention, SHAPE, random);
    const course = [...train(attention, model, PIECES, COURSE, random)];
    const hash = createHash("sha256").update(Float64Array.from(course));
    hash.update(packModel(SHAPE, new Vocabulary(names), model.parameters));
    assert.ok((course.at(-1) as number) < course[0], `${course}`);
    assert.equal(hash.digest("hex"), DIGEST, `${threads} threads`);
    attention.dispose();
  }
});

test("int8: every weight within half a step of its row's scale, the file is read as it was written", async () => {
  const attention = await createWhole();
  const { model, file } = untrained(attention);
  const stored = await readSafetensors(file);
  const { weights, shape, vocabulary } = await unpackModel(file);
  assert.deepEqual(shape, SHAPE);
  assert.deepEqual(vocabulary.names, names);
  for (const [index, name] of namesOf(SHAPE).entries()) {
    const { data, dims } = model.parameters[index];
    const read = weights.get(name) ?? assert.fail(name);
    if (dims.length === 1) {
      assert.deepEqual(read.data, data, name);
      continue;
    }
    const { data: scales } = await stored.tensor(`${name}.scales`);
    const [rows, columns] = read.dims;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const weight = name === "embedding" ? data[i * columns + j] : data[j * rows + i];
        const error = Math.abs(read.data[i * columns + j] - weight);
        assert.ok(error <= 0.5001 * scales[i], `${name}[${i}, ${j}]: ${error} of ${scales[i]}`);
      }
    }
  }
  for (const length of [0, 7, 300, file.length - 1])
    await assert.rejects(unpackModel(file.subarray(0, length)), ArgumentError, `${length}`);
  attention.dispose();
});

for (const variant of variants) {
  test(`the writer's logits are the trained model's, ${variant}`, async () => {
    const attention = await engine(variant);
    const { model, file } = untrained(attention);
    const trained = await unpackModel(file);
    namesOf(SHAPE).forEach((name, index) => {
      const { data, dims } = model.parameters[index];
      const read = trained.weights.get(name) ?? assert.fail(name);
      const turned = dims.length === 2 && name !== "embedding";
      for (let i = 0; i < data.length; i++) {
        const [row, column] = [Math.floor(i / dims[dims.length - 1]), i % dims[dims.length - 1]];
        data[i] = read.data[turned ? column * dims[0] + row : i];
      }
    });
    model.update();
    const writer = new Writer(attention, trained);
    const text = ids(40);
    const expected = model.loss(Int32Array.from(text), Int32Array.from(text), 1).logits.data;
    const { logits } = writer.begin().append([text], { every: true });
    for (const [i, value] of expected.entries()) {
      assert.ok(Math.abs(logits.data[i] - value) < 2e-5, `${i}: ${logits.data[i]}, not ${value}`);
    }
    attention.dispose();
  });

  test(`a text read in parts, or beside another, gives the same bits, ${variant}`, async () => {
    const attention = await engine(variant);
    const writer = new Writer(attention, await unpackModel(untrained(attention).file));
    const { used } = attention.memory;
    const [one, two] = [ids(150), ids(150, 8)];
    const whole = writer.begin();
    const { data } = whole.append([one], { every: true }).logits;
    const row = (i: number) => data.slice(i * SHAPE.vocabulary, (i + 1) * SHAPE.vocabulary);
    for (const cut of [1, 7, 64, 149]) {
      const parts = writer.begin();
      for (let from = 0; from < one.length; from += cut) {
        const { logits } = parts.append([one.slice(from, from + cut)]);
        const last = Math.min(from + cut, one.length) - 1;
        assert.deepEqual(logits.data, row(last), `${cut}, ${last}`);
      }
      assert.equal(parts.length, one.length);
      parts.dispose();
    }
    const both = writer.begin(2);
    both.append([two.slice(0, 149), one.slice(0, 149)]);
    both.reorder([1, 1]);
    const { logits } = both.append([[one[149]], [two[149]]]);
    assert.deepEqual(logits.data.slice(0, SHAPE.vocabulary), row(149));
    both.dispose();
    whole.dispose();
    assert.equal(attention.memory.used, used);
    attention.dispose();
  });

  test(`what pieces look at: a share of each before them, as when they were written, ${variant}`, async () => {
    const attention = await engine(variant);
    const writer = new Writer(attention, await unpackModel(untrained(attention).file));
    const text = ids(60);
    const { weights } = writer.begin().append([text], { weights: true });
    const seen = look(writer, text, { from: 40, to: 42 });
    assert.equal(seen.length, SHAPE.layers * SHAPE.heads);
    seen.forEach((mean, index) => {
      assert.equal(mean.length, 42);
      assert.ok(Math.abs(mean.reduce((a, b) => a + b) - 1) < 1e-5);
      const { data } = weights[Math.floor(index / SHAPE.heads)];
      const at = (row: number) => ((index % SHAPE.heads) * 60 + row) * 60;
      const expected = mean.map((_, key) => data[at(40) + key] / 2 + data[at(41) + key] / 2);
      assert.deepEqual(mean, expected);
    });
    attention.dispose();
  });

  test(`one beam is greedy, and no beam of four is worse, ${variant}`, async () => {
    const attention = await engine(variant);
    const writer = new Writer(attention, await unpackModel(untrained(attention).file));
    const wanted = { ids: ids(10), length: 12, sampling: { temperature: 0 }, random: seeded(1) };
    const likeliest = [...write(writer.begin(), wanted)];
    const [one] = [...searchBeams(writer.begin(1), { ...wanted, beams: 1 })].at(-1) ?? [];
    assert.deepEqual(one.ids, likeliest);
    const beams = [...searchBeams(writer.begin(4), { ...wanted, beams: 4 })].at(-1) ?? [];
    assert.equal(beams.length, 4);
    assert.ok(beams[0].score >= one.score, `${beams[0].score}, ${one.score}`);
    // The score is that of the text read at once.
    for (const { ids: after, score } of beams) {
      const sum = losses(writer, [...wanted.ids, ...after])
        .slice(-12)
        .reduce((a, b) => a + b);
      assert.ok(Math.abs(sum + score) < 1e-4, `${sum}, ${score}`);
    }
    attention.dispose();
  });
}

test("the model that comes with it: at most 1 MB, and it tells what follows in a chapter it has not seen", async (t) => {
  const bytes = shipped();
  assert.ok(bytes.length <= 1_000_000, `${bytes.length} bytes`);
  const attention = await createWhole({ reproducible: true });
  const writer = new Writer(attention, await unpackModel(bytes));
  const { vocabulary } = writer.model;
  const each = losses(writer, vocabulary.encode(ADVOCATE));
  const mean = each.reduce((a, b) => a + b) / each.length;
  t.diagnostic(`${mean.toFixed(3)} nats a piece`);
  assert.ok(mean < 4, `${mean}`);

  const begun = vocabulary.encode("Call me Ishmael");
  const wanted = { ids: begun, length: 40, sampling: { temperature: 0 }, random: seeded(1) };
  const text = vocabulary.decode([...begun, ...write(writer.begin(), wanted)]);
  const greedyText = readFileSync(new URL("../examples/write/greedy.txt", import.meta.url), "utf8");
  assert.equal(`${text}\n`, greedyText);
  const { logits } = writer
    .begin()
    .append([vocabulary.encode("And he said to the captain of the")]);
  t.diagnostic(`… the${vocabulary.added(greedy(logits.data))}`);
  attention.dispose();
});

/** Chapter 24, which the model was not trained on, begins so. */
const ADVOCATE = `CHAPTER 24. The Advocate.

As Queequeg and I are now fairly embarked in this business of whaling; and as this business of whaling has somehow come to be regarded among landsmen as a rather unpoetical and disreputable pursuit; therefore, I am all anxiety to convince ye, ye landsmen, of the injustice hereby done to us hunters of whales.

In the first place, it may be deemed almost superfluous to establish the fact, that among people at large, the business of whaling is not accounted on a level with what are called the liberal professions.`;
