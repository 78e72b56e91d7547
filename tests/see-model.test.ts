// The model of the seeing example: its convolutions and gradients, and short courses that have to learn something,
// with the same bits everywhere.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { readDigits } from "../examples/digits/images";
import { Convolution } from "../examples/see/convolution";
import { answer, picturesOf, train } from "../examples/see/course";
import { shareOf } from "../examples/see/evaluation";
import { lesson, numbered, WORDS } from "../examples/see/lessons";
import { Seeing } from "../examples/see/model";
import { ANSWERS, ask } from "../examples/see/questions";
import { pack } from "../examples/see/rows";
import { Scenes } from "../examples/see/scenes";
import { SIZES } from "../examples/see/sizes";
import { packModel } from "../examples/see/weights";
import { lossOf } from "../examples/training/block";
import { seeded } from "../examples/training/random";
import { checkSlopes } from "./checks/slopes";
import { createWhole, randomArray } from "./engines";

/** SHA-256 over the losses and the file of a short course: the same on every engine. */
const DIGEST = "45c6aa3db02a6c528ec1c9fad79fe8b18e8dda312210dff9c8cc0e2275fd77b1";

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
const trainingScenes = new Scenes(readDigits("train"));
const testScenes = new Scenes(readDigits("test"));

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
  const expected = {
    weight: new Float64Array(weight.data.length),
    bias: new Float64Array(outputs),
  };
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
    for (let i = 0; i < data.length; i++) data[i] += 0.2 * uniform() - 0.1;
  model.update();
  const named = Int32Array.from(examples.flatMap(({ names }) => names ?? []));
  const run = (record = false) => {
    const { logits, names } = model.forward(pictures, asked, { record, names: true });
    const answers = lossOf(attention, logits, targets);
    const words = lossOf(attention, names ?? assert.fail(), named);
    return { answers, words, loss: answers.loss + words.loss };
  };
  const { answers, words } = run(true);
  model.backward(answers.gradient, words.gradient);
  checkSlopes(model, () => run().loss);
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
    return numbered(scene, asked);
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
