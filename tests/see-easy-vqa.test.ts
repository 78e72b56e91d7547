// The seeing example on easy-VQA: how its pictures are laid, and a short course that has to learn something.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { answer, train } from "../examples/see/course";
import { CHANNELS, numbered, readEasyVqa, SIDE } from "../examples/see/easy-vqa";
import { draw, lay, mirrored, shownBy, windowOf } from "../examples/see/easy-vqa-lessons";
import { Blind } from "../examples/see/evaluation";
import { Seeing } from "../examples/see/model";
import { SIZES } from "../examples/see/sizes";
import { Words } from "../examples/see/words";
import { seeded } from "../examples/training/random";
import { createWhole } from "./engines";

const at = (picture: Uint8Array, y: number, x: number) => [
  ...picture.subarray((y * SIDE + x) * CHANNELS, (y * SIDE + x + 1) * CHANNELS),
];

test("a mirrored picture has right where left was, pixels together", () => {
  const pixels = Uint8Array.from({ length: SIDE * SIDE * CHANNELS }, (_, i) => (i * 7919) % 251);
  const other = mirrored(pixels);
  assert.notDeepEqual(other, pixels);
  assert.deepEqual(mirrored(other), pixels);
  assert.deepEqual(at(other, 2, 5), at(pixels, 2, 58));
});

test("a quarter of a mosaic is a window of a picture with the whole shape", () => {
  const random = seeded(6);
  for (let run = 0; run < 200; run++) {
    const [height, width] = [1 + random.below(32), 1 + random.below(32)];
    const [top, left] = [random.below(SIDE + 1 - height), random.below(SIDE + 1 - width)];
    const pixels = new Uint8Array(SIDE * SIDE * CHANNELS);
    for (let y = top; y < top + height; y++)
      pixels.fill(200, (y * SIDE + left) * CHANNELS, (y * SIDE + left + width) * CHANNELS);
    const into = new Uint8Array(pixels.length);
    const quarter = random.below(4);
    lay(pixels, windowOf(pixels, random), into, quarter);
    const inked = [...into.keys()].filter((i) => into[i] > 0).map((i) => Math.floor(i / CHANNELS));
    assert.equal(inked.length, height * width * CHANNELS, `run ${run}`);
    for (const place of inked) {
      const half = [Math.floor(place / SIDE), place % SIDE].map((i) => Math.floor((2 * i) / SIDE));
      assert.equal(2 * half[0] + half[1], quarter, `run ${run}`);
    }
  }
});

test("a picture shows what is answered to “what” or stands there, not what is asked for yes or no", () => {
  const words = Words.of(["what color is the circle", "is no red shape there", "a blue triangle"]);
  const answers = ["circle", "triangle", "red", "blue", "yes", "no", "gray"];
  const shown = (...questions: [string, string][]) =>
    shownBy(questions, { words, answers }).map((id) => words.names[id]);
  const both = shown(
    ["is no red shape there?", "yes"],
    ["what color is the circle?", "blue"],
    ["is a triangle there?", "no"],
  );
  assert.deepEqual(both, ["circle", "blue"]);
  assert.deepEqual(shown(["is there a circle?", "yes"], ["is there no circle?", "no"]), []);
  assert.deepEqual(shown(["what color is the circle?", "gray"]), ["circle"]);
});

const folder = join(process.env.DATA_DIR ?? "", "easy-vqa");
const there = process.env.DATA_DIR !== undefined && existsSync(join(folder, "questions.jsonl"));

test("easy-VQA: a course of some seconds answers more than one can without looking", {
  skip: there ? false : "no easy-vqa in DATA_DIR",
}, async (t) => {
  const task = readEasyVqa(folder);
  const { training, heldOut, words, answers } = task;
  assert.deepEqual([training.length, heldOut.length, answers.length], [2000, 400, 13]);
  const attention = await createWhole({ threads: 2, reproducible: true });
  const random = seeded(2026);
  const shape = { ...SIZES, side: SIDE, channels: CHANNELS };
  const sizes = { ...shape, words: words.names.length, answers: answers.length };
  const model = new Seeing(attention, sizes, random);
  const course = { steps: 150, batch: 16, rate: 3e-3 };
  for (const _ of train(
    attention,
    model,
    (drawn, done) => draw(task, drawn, done),
    course,
    random,
  ));
  const some = heldOut.slice(0, 200);
  const guesses = answer(
    model,
    some.map(({ pixels, questions }) => ({ pixels, questions: numbered(questions, task) })),
  );
  const questions = some.flatMap((picture) => picture.questions);
  const right = questions.filter(([, right], i) => answers[guesses[i]] === right).length;
  const blind = new Blind(training.flatMap((picture) => picture.questions));
  const blindly = questions.filter(([text, right]) => blind.answer(text) === right).length;
  t.diagnostic(`${right} of ${questions.length}, without looking ${blindly}`);
  assert.ok(right / questions.length > 0.7, `${right} of ${questions.length}`);
  assert.ok(blindly / questions.length < 0.7, `${blindly} of ${questions.length}`);
  attention.dispose();
});
