// The seeing example on easy-VQA: how its pictures are laid, and a short course that has to learn something.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { answer, train } from "../examples/see/course";
import { CHANNELS, draw, numbered, readEasyVqa, SIDE, turned } from "../examples/see/easy-vqa";
import { Blind } from "../examples/see/evaluation";
import { Seeing } from "../examples/see/model";
import { SIZES } from "../examples/see/sizes";
import { seeded } from "../examples/training/random";
import { createWhole } from "./engines";

test("a picture is laid in eight ways, each of them another, pixels together", () => {
  const pixels = Uint8Array.from({ length: SIDE * SIDE * CHANNELS }, (_, i) => (i * 7919) % 251);
  const ways = Array.from({ length: 8 }, (_, way) => turned(pixels, way));
  assert.deepEqual(ways[0], pixels);
  assert.equal(new Set(ways.map((way) => Buffer.from(way).toString("base64"))).size, 8);
  const at = (picture: Uint8Array, y: number, x: number) => [
    ...picture.subarray((y * SIDE + x) * 3, (y * SIDE + x) * 3 + 3),
  ];
  assert.deepEqual(at(ways[1], 2, 5), at(pixels, 61, 5));
  assert.deepEqual(at(ways[2], 2, 5), at(pixels, 2, 58));
  assert.deepEqual(at(ways[4], 2, 5), at(pixels, 5, 2));
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
