// The seeing example: its scenes and questions, its model's gradients, a short course that has to learn
// something, and the model that comes with it, held to what it must answer.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readDigits } from "../examples/digits/images";
import { Convolution } from "../examples/see/convolution";
import { answer, picturesOf, train } from "../examples/see/course";
import { CHANNELS, draw, numbered, readEasyVqa, SIDE, turned } from "../examples/see/easy-vqa";
import { Blind, shareOf } from "../examples/see/evaluation";
import { examine, type Report } from "../examples/see/exam";
import { heldOut, lesson, numbered as lessonOf, WORDS } from "../examples/see/lessons";
import { look, meanOf } from "../examples/see/look";
import { Seeing } from "../examples/see/model";
import { ANSWERS, anyKind, ask, digitsNamed, KINDS } from "../examples/see/questions";
import { pack } from "../examples/see/rows";
import { Scenes } from "../examples/see/scenes";
import { SIZES } from "../examples/see/sizes";
import { packModel, readerOf } from "../examples/see/weights";
import { UnaskableQuestion } from "../examples/see/words";
import { lossOf } from "../examples/training/block";
import { seeded } from "../examples/training/random";
import { createWhole, randomArray } from "./engines";

/** SHA-256 over the losses and the file of a short course: the same on every engine. */
const DIGEST = "d2028ff687f66a3616dd80d90450027d0b5a710bfeb366ef3c923f4df3095608";

const SHAPE = {
  ...SIZES,
  size: 32,
  hidden: 48,
  convolutions: [6, 12],
  side: 64,
  channels: 1,
  words: WORDS.names.length,
  answers: ANSWERS.length,
};
const [trainingScenes, testScenes] = [
  new Scenes(readDigits("train")),
  new Scenes(readDigits("test")),
];
const shipped = (name: string) => readFileSync(new URL(`../examples/see/${name}`, import.meta.url));

test("a scene has its four digits, each within its quarter", () => {
  const digits = readDigits("test");
  const random = seeded(1);
  for (let i = 0; i < 50; i++) {
    const scene = testScenes.draw(random);
    for (const [quarter, digit] of scene.digits.entries()) {
      const [top, left] = [(quarter >> 1) * 32, (quarter & 1) * 32];
      // Some image of that digit, moved by at most 4 pixels, is all that the quarter holds.
      const found = digits.labels.some((label, image) => {
        if (label !== digit) return false;
        for (let down = 0; down <= 4; down++)
          for (let right = 0; right <= 4; right++)
            if (holds(scene.pixels, [top, left], digits.pixels, image, [down, right])) return true;
        return false;
      });
      assert.ok(found, `scene ${i}, quarter ${quarter}, a ${digit}`);
    }
  }
});

/** Rows that tell images apart are enough: all 32 × 32 pixels of the quarter. */
function holds(
  scene: Uint8Array,
  [top, left]: readonly [number, number],
  pixels: Uint8Array,
  image: number,
  [down, right]: readonly [number, number],
): boolean {
  for (let y = 0; y < 32; y++) {
    for (let x = 0; x < 32; x++) {
      const [row, column] = [y - down, x - right];
      const inside = row >= 0 && row < 28 && column >= 0 && column < 28;
      const ink = inside ? pixels[(image * 28 + row) * 28 + column] : 0;
      if (scene[(top + y) * 64 + left + x] !== ink) return false;
    }
  }
  return true;
}

test("every question has the answer that a reader of its words finds", () => {
  const random = seeded(2);
  const counts = new Map<string, number>();
  for (let i = 0; i < 5000; i++) {
    const scene = testScenes.draw(random);
    const { text, answer, kind } = ask(scene, anyKind(random), random);
    assert.equal(answer, found(text, scene.digits), `${scene.digits}: ${text}`);
    assert.ok(ANSWERS.includes(answer));
    WORDS.encode(text);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  for (const kind of KINDS) assert.ok((counts.get(kind) ?? 0) > 500, kind);
});

const ONE = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** By the words alone, written apart from what makes the questions. */
function found(text: string, digits: readonly number[]): string {
  const rows = [digits.slice(0, 2), digits.slice(2)];
  const places = ["top left", "top right", "bottom left", "bottom right"];
  const named = () => ONE.findIndex((name) => new RegExp(`\\b${name}(e?s)?\\b`).test(text));
  const place = places.findIndex((name) => text.includes(`at the ${name}`));
  if (place >= 0) return ONE[digits[place]];
  if (text.includes("largest")) return ONE[digits.toSorted((a, b) => b - a)[0]];
  if (text.includes("smallest")) return ONE[digits.toSorted((a, b) => a - b)[0]];
  if (text.startsWith("how many")) return ONE[digits.filter((digit) => digit === named()).length];
  if (text.startsWith("is there")) return digits.includes(named()) ? "yes" : "no";
  if (text.startsWith("where is")) return places[digits.indexOf(named())];
  const at = digits.indexOf(named());
  const [row, column] = [Math.floor(at / 2), at % 2];
  const beside = text.includes("above")
    ? rows[row - 1]?.[column]
    : text.includes("below")
      ? rows[row + 1]?.[column]
      : text.includes("left of")
        ? rows[row][column - 1]
        : rows[row][column + 1];
  return beside === undefined ? "nothing" : ONE[beside];
}

test("words: cases and marks do not matter, an unknown word is named", () => {
  assert.deepEqual(WORDS.encode("What is above the FIVE"), WORDS.encode("what is above the five?"));
  assert.equal(WORDS.encode("").length, 1);
  assert.throws(() => WORDS.encode("what is a whale?"), /^Error: “whale” is no word .*above/);
  assert.throws(() => WORDS.encode("a ".repeat(40)), UnaskableQuestion);
  assert.deepEqual(digitsNamed("Which is left of the six, or are there nines?"), [6, 9]);
});

test("held-out scenes are always the same, and have handwriting of the test images alone", () => {
  const asked = heldOut(testScenes);
  assert.equal(asked.flatMap(({ questions }) => questions).length, 2000);
  assert.deepEqual(asked.slice(0, 20), heldOut(testScenes).slice(0, 20));
});

test("several questions in a row are answered as each alone", async () => {
  const attention = await createWhole({ reproducible: true });
  const model = new Seeing(attention, SHAPE, seeded(3));
  const random = seeded(4);
  const examples = Array.from({ length: 3 }, () => lesson(trainingScenes, random, 0.5));
  const pictures = picturesOf(
    examples.map(({ pixels }) => pixels),
    SHAPE,
  );
  const ids = examples.map(({ questions }) => questions.map((question) => question.ids));
  const together = model.forward(pictures, pack(ids)).logits;
  assert.deepEqual(together.dims, [24, ANSWERS.length]);
  for (const [at, { pixels, questions }] of examples.entries()) {
    for (const [i, { ids }] of questions.entries()) {
      const alone = model.forward(picturesOf([pixels], SHAPE), pack([[ids]])).logits.data;
      for (const [j, value] of alone.entries()) {
        const other = together.data[(at * 8 + i) * ANSWERS.length + j];
        assert.ok(Math.abs(other - value) < 1e-5, `${other}, alone ${value}`);
      }
    }
  }
  attention.dispose();
});

test("a convolution is a sum over windows of 4 × 4, and its gradients are the derivatives", async () => {
  const attention = await createWhole({ reproducible: true });
  const [pictures, side, channels, outputs] = [2, 6, 3, 5];
  const convolution = new Convolution(attention, channels, outputs, seeded(3));
  const [weight, bias] = convolution.parameters;
  bias.data.set([0.1, -0.2, 0.3, 0, 0.05]);
  convolution.update();
  const x = randomArray(pictures * side * side * channels, 1);
  const output = convolution.forward({ data: x, dims: [pictures, side, side, channels] });
  assert.deepEqual(output.dims, [pictures, 3, 3, outputs]);
  const dy = randomArray(output.data.length, 2);
  const windows = convolution.backward({ data: dy, dims: output.dims });
  const dx = convolution.inputGradient(windows).data;
  const expected = { weight: new Float64Array(weight.data.length), bias: new Float64Array(outputs) };
  const expectedInput = new Float64Array(x.length);
  for (let at = 0; at < output.data.length; at++) {
    const out = at % outputs;
    const place = Math.floor(at / outputs);
    const [picture, row, column] = [Math.floor(place / 9), Math.floor(place / 3) % 3, place % 3];
    const taps: [from: number, tap: number][] = [];
    for (let y = 0; y < 4; y++) {
      for (let z = 0; z < 4; z++) {
        const [r, c] = [2 * row - 1 + y, 2 * column - 1 + z];
        if (r < 0 || r >= side || c < 0 || c >= side) continue;
        for (let channel = 0; channel < channels; channel++) {
          const from = ((picture * side + r) * side + c) * channels + channel;
          taps.push([from, ((y * 4 + z) * channels + channel) * outputs + out]);
        }
      }
    }
    const sum = taps.reduce((all, [from, tap]) => all + x[from] * weight.data[tap], bias.data[out]);
    assert.ok(Math.abs(output.data[at] - Math.max(sum, 0)) < 1e-5, `${at}: ${output.data[at]}`);
    if (sum <= 0) continue;
    expected.bias[out] += dy[at];
    for (const [from, tap] of taps) {
      expected.weight[tap] += dy[at] * x[from];
      expectedInput[from] += dy[at] * weight.data[tap];
    }
  }
  const near = (given: ArrayLike<number>, right: Float64Array) =>
    right.forEach((value, i) => {
      assert.ok(Math.abs(given[i] - value) < 1e-5, `${i}: ${given[i]}, not ${value}`);
    });
  near(weight.gradient, expected.weight);
  near(bias.gradient, expected.bias);
  near(dx, expectedInput);
  attention.dispose();
});

test("the model's gradients are those of its loss, by finite differences", async () => {
  const attention = await createWhole({ reproducible: true });
  const model = new Seeing(attention, SHAPE, seeded(3));
  const random = seeded(4);
  const examples = Array.from({ length: 2 }, () => lesson(trainingScenes, random, 0.5));
  const pictures = picturesOf(
    examples.map(({ pixels }) => pixels),
    SHAPE,
  );
  const asked = pack(examples.map(({ questions }) => questions.map(({ ids }) => ids)));
  const targets = Int32Array.from(
    examples.flatMap(({ questions }) => questions.map((question) => question.answer)),
  );
  // Paper is 0, and so is a bias at first: at the very bend of what follows.
  const { uniform } = seeded(5);
  for (const { data } of model.parameters)
    for (let i = 0; i < data.length; i++) data[i] += 0.1 * (uniform() < 0.5 ? -1 : 1);
  model.update();
  const run = (record = false) =>
    lossOf(attention, model.forward(pictures, asked, { record }).logits, targets);
  model.backward(run(true).gradient);
  for (const [at, { data, gradient }] of model.parameters.entries()) {
    const before = data.slice();
    // Along a random direction, so that no element of the gradient goes unseen.
    const signs = data.map(() => (uniform() < 0.5 ? -1 : 1));
    const moved = (distance: number) => {
      for (let i = 0; i < data.length; i++) data[i] = before[i] + distance * signs[i];
      model.update();
      return run().loss;
    };
    const step = 0.002 / Math.sqrt(data.length);
    const slope = (moved(step) - moved(-step)) / (2 * step);
    moved(0);
    const expected = gradient.reduce((sum, g, i) => sum + g * signs[i], 0);
    const length = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
    assert.ok(
      Math.abs(slope - expected) <= 0.03 * length + 1e-3,
      `parameter ${at}: slope ${slope}, by its gradient ${expected}`,
    );
  }
  attention.dispose();
});

test("a short course ends in the same bits for any threads, on every engine", async () => {
  for (const threads of [1, 2]) {
    const attention = await createWhole({ threads, reproducible: true });
    const random = seeded(6);
    const model = new Seeing(attention, SHAPE, random);
    const course = { steps: 8, batch: 4, rate: 3e-3 };
    const draw = (drawn: typeof random, done: number) => lesson(trainingScenes, drawn, done);
    const losses = [...train(attention, model, draw, course, random)];
    const file = packModel(model, WORDS.names, ANSWERS);
    const hash = createHash("sha256").update(Float64Array.from(losses)).update(file);
    assert.equal(hash.digest("hex"), DIGEST, `${threads} threads`);
    attention.dispose();
  }
});

test("a course of some seconds learns what is where: three of four, by chance one of ten", async (t) => {
  const attention = await createWhole({ threads: 2, reproducible: true });
  const random = seeded(2026);
  const shape = { ...SHAPE, ...SIZES };
  const model = new Seeing(attention, shape, random);
  const plain = (scenes: Scenes) => (drawn: typeof random) => {
    const scene = scenes.draw(drawn);
    const asked = Array.from({ length: 4 }, () => ask(scene, "what is at", drawn));
    return lessonOf(scene, asked);
  };
  const course = { steps: 300, batch: 16, rate: 3e-3 };
  for (const _ of train(attention, model, plain(trainingScenes), course, random));
  const asked = Array.from({ length: 250 }, () => plain(testScenes)(random));
  const guesses = answer(model, asked);
  const marks = asked
    .flatMap(({ questions }) => questions)
    .map((question, i) => ({ kind: "", right: question.answer === guesses[i] }));
  const { right, of } = shareOf(marks);
  t.diagnostic(`${right} of ${of}`);
  assert.ok(right / of > 0.75, `${right} of ${of}`);
  attention.dispose();
});

test("the model that comes with it: at most 1 MB, 95 % of 2,000 held-out questions", async (t) => {
  const bytes = shipped("model.safetensors");
  assert.ok(bytes.length <= 1_000_000, `${bytes.length} bytes`);
  const attention = await createWhole({ threads: 2, reproducible: true });
  const reader = await readerOf(attention, bytes);
  const { all, blind, kinds } = examine(reader, testScenes);
  t.diagnostic(`${all.right} of ${all.of}, without looking ${blind.right}`);
  assert.equal(all.of, 2000);
  assert.ok(all.right / all.of >= 0.95, `${all.right} of ${all.of}`);
  assert.ok(blind.right / blind.of < 0.4, `${blind.right} without looking`);
  const report: Report = JSON.parse(shipped("report.json").toString());
  assert.deepEqual([report.right, report.of], [all.right, all.of]);
  assert.deepEqual(report.kinds, Object.fromEntries(kinds));
  attention.dispose();
});

test("the question mark looks at the digit that is the answer", async (t) => {
  const attention = await createWhole({ reproducible: true });
  const reader = await readerOf(attention, shipped("model.safetensors"));
  const random = seeded(8);
  let there = 0;
  for (let i = 0; i < 100; i++) {
    const scene = testScenes.draw(random);
    const { text } = ask(scene, "what is at", random);
    const quarter = ["top left", "top right", "bottom left", "bottom right"].findIndex((place) =>
      text.includes(place),
    );
    const { words, weights, answers } = look(attention, reader, scene.pixels, text);
    assert.equal(words.at(-1), "?");
    const sum = answers.reduce((total, { probability }) => total + probability, 0);
    assert.ok(Math.abs(sum - 1) < 1e-5);
    assert.deepEqual(weights[0].dims, [SIZES.heads, words.length, 64]);
    const map = meanOf(weights).at(-1) ?? assert.fail();
    const shares = [0, 0, 0, 0];
    map.forEach((weight, patch) => {
      shares[(patch >> 5) * 2 + Number(patch % 8 >= 4)] += weight;
    });
    assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) < 1e-5);
    if (shares[quarter] === Math.max(...shares)) there++;
  }
  t.diagnostic(`${there} of 100`);
  assert.ok(there >= 80, `${there} of 100`);
  attention.dispose();
});

test("an answer without looking is the one that a question has most often", () => {
  const blind = new Blind([
    ["a", "yes"],
    ["a", "no"],
    ["a", "no"],
  ]);
  assert.equal(blind.answer("a"), "no");
  assert.equal(blind.answer("b"), undefined);
});

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
  for (const _ of train(attention, model, (drawn) => draw(task, drawn), course, random));
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
