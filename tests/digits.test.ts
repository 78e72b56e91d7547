// The digits' example: its data, its gradients against finite differences, and a short course of
// training that has to learn something, and the same bits on every engine.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { PNG } from "pngjs";

import { attentionGallery, drawLook, neighbourGallery } from "../examples/digits/gallery";
import { readDigits } from "../examples/digits/images";
import { DigitTransformer } from "../examples/digits/model";
import { nearest } from "../examples/digits/nearest";
import { type Digits, imageOf, patchesOf } from "../examples/digits/patches";
import { drawDigit, png, terminalLines } from "../examples/digits/picture";
import { recognise, represent, train } from "../examples/digits/training";
import { lossOf } from "../examples/training/block";
import { seeded } from "../examples/training/random";
import { checkSlopes } from "./checks/slopes";
import { createWhole, randomArray, type Whole } from "./engines";

/**
 * SHA-256 over the losses and the parameters of the short course, by Node 20 and by Node 24. A kernel
 * that adds up in another order changes it, nothing else may.
 */
const DIGEST = "9e3f0415c4f17e9790d8d6f5c0ceee31ae1b394b72459ffe52d30235c8e93b1a";

const COURSE = { steps: 350, batch: 64, rate: 5e-3 };
const ASKED = 1000;
const AMONG = 10_000;

const [training, unseen] = [readDigits("train"), readDigits("test")];

test("all digits are read, and cut into patches", () => {
  // The counts of the published sets.
  assert.deepEqual(histogram(unseen), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
  assert.equal(training.count, 60_000);
  const patches = patchesOf(unseen, [3, 7]);
  assert.deepEqual(patches.dims, [2, 16, 49]);
  const image = imageOf(unseen, 7);
  for (const [y, x] of [
    [0, 0],
    [6, 7],
    [13, 14],
    [27, 20],
  ]) {
    const patch = Math.floor(y / 7) * 4 + Math.floor(x / 7);
    const value = patches.data[(16 + patch) * 49 + (y % 7) * 7 + (x % 7)];
    assert.ok(Math.abs(value * 78.6 + 33.3 - image[y * 28 + x]) < 1e-4);
  }
  const mean =
    patchesOf(training, [...Array(2000).keys()]).data.reduce((a, b) => a + b) / 2000 / 784;
  assert.ok(Math.abs(mean) < 0.02);
});

test("the model's gradients are those of its loss, by finite differences", async () => {
  const attention = await createWhole({ reproducible: true });
  const model = new DigitTransformer(attention, seeded(3));
  const indices = [0, 1, 2, 3, 4, 5];
  const targets = Int32Array.from(indices, (index) => training.labels[index]);
  const run = (record = false) =>
    lossOf(attention, model.forward(patchesOf(training, indices), { record }).logits, targets);
  model.backward(run(true).gradient);
  checkSlopes(model, () => run().loss);
  attention.dispose();
});

test("two threads learn the same bits as one", async () => {
  const digests = [];
  for (const threads of [1, 2]) {
    const attention = await createWhole({ threads, reproducible: true });
    assert.equal(attention.threads, threads);
    digests.push(learn(attention, 5).digest);
    attention.dispose();
  }
  assert.equal(digests[0], digests[1]);
});

test("memory does not grow with steps", async () => {
  const attention = await createWhole();
  const model = new DigitTransformer(attention, seeded(1));
  const used: number[] = [];
  for (const { step } of train(attention, model, training, { ...COURSE, steps: 6 }, seeded(1))) {
    if (step > 1) used.push(attention.memory.used);
  }
  assert.deepEqual(used, Array(5).fill(used[0]));
  attention.dispose();
});

test("a short course of training", async (t) => {
  const attention = await createWhole({ threads: "auto", reproducible: true });
  const { model, losses, digest } = learn(attention, COURSE.steps);

  await t.test("recognises at least 90 % of 2,000 images it has not seen", () => {
    const known = recognise(model, unseen, 2000).filter((guess, i) => guess === unseen.labels[i]);
    t.diagnostic(`${known.length} of 2,000, loss from ${losses[0]} to ${losses.at(-1)}`);
    assert.ok(known.length >= 1800, `${known.length} of 2,000`);
  });

  await t.test("ends in the same bits on every engine", () => {
    assert.equal(digest, DIGEST);
  });

  const asked = represent(model, unseen, ASKED);
  const found = nearest(attention, asked, represent(model, training, AMONG), 8);

  await t.test("finds images of the same digit", () => {
    const same = found.filter(([{ index }], i) => training.labels[index] === unseen.labels[i]);
    t.diagnostic(`${same.length} of ${ASKED} nearest images show the same digit`);
    assert.ok(same.length >= 0.88 * ASKED, `${same.length} of ${ASKED}`);
  });

  await t.test("draws what it looks at, and what it finds", () => {
    for (const [page, images] of [
      [attentionGallery(model, unseen), 50],
      [neighbourGallery(unseen, training, (index) => found[index]), 90],
    ] as const) {
      const files = [...page.matchAll(/href="data:image\/png;base64,([^"]+)"/g)];
      assert.equal(files.length, images);
      for (const [, base64] of files) {
        const { width, height } = PNG.sync.read(Buffer.from(base64, "base64"));
        assert.ok(width === height && width % 28 === 0);
      }
    }
    const [plain, looked] = drawLook(model, unseen, 0);
    assert.notDeepEqual(looked.pixels, plain.pixels);
    assert.equal(terminalLines([plain, looked], true).length, 14);
  });
  attention.dispose();
});

test("the nearest rows come first, by their direction alone", async () => {
  const attention = await createWhole();
  const all = { data: randomArray(700 * 5, 11), dims: [700, 5] };
  const asked = { data: randomArray(9 * 5, 12), dims: [9, 5] };
  const found = nearest(attention, asked, all, 4);
  const row = ({ data }: { data: Float32Array }, i: number) => [...data.subarray(i * 5, i * 5 + 5)];
  const product = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  for (const [i, neighbours] of found.entries()) {
    const a = row(asked, i);
    const cosines = Array.from({ length: 700 }, (_, index) => {
      const b = row(all, index);
      const similarity = product(a, b) / Math.sqrt(product(a, a) * product(b, b));
      return { index, similarity };
    }).sort((x, y) => y.similarity - x.similarity);
    assert.deepEqual(
      neighbours.map(({ index }) => index),
      cosines.slice(0, 4).map(({ index }) => index),
    );
    for (const [k, { similarity }] of neighbours.entries()) {
      assert.ok(Math.abs(similarity - cosines[k].similarity) < 1e-6);
    }
  }
  attention.dispose();
});

test("attention glows on its patch, ink stays white", () => {
  const image = new Uint8Array(784);
  image[0] = 255;
  const attention = new Float32Array(16);
  attention[5] = 0.5;
  const { width, pixels } = drawDigit(image, attention, 2);
  const light = (y: number, x: number) => pixels.subarray((y * 56 + x) * 3, (y * 56 + x) * 3 + 3);
  assert.equal(width, 56);
  assert.deepEqual([...light(1, 1)], [255, 255, 255]);
  const sum = (y: number, x: number) => light(y, x).reduce((a, b) => a + b);
  assert.ok(sum(20, 20) > 350 && sum(20, 20) > sum(20, 27) && sum(20, 27) > sum(50, 50));
  const file = PNG.sync.read(png({ width, height: 56, pixels }));
  assert.deepEqual([...file.data.subarray(0, 4)], [255, 255, 255, 255]);
  // The upper half of a cell has the colour of the letter, the lower one that of the ground.
  const looked = drawDigit(image, attention);
  const shown = terminalLines([looked], true).flatMap((line) => {
    const cells = [...line.matchAll(/38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m▀/g)];
    const halves = (from: number) =>
      cells.flatMap((cell) => cell.slice(from, from + 3).map(Number));
    return [...halves(1), ...halves(4)];
  });
  assert.deepEqual(shown, [...looked.pixels]);
  const lines = terminalLines([drawDigit(image)], false);
  assert.deepEqual(lines, [`▒${" ".repeat(27)}`, ...Array(13).fill(" ".repeat(28))]);
});

function learn(attention: Whole, steps: number) {
  return withoutPlatformMathematics(() => {
    const random = seeded(2026);
    const model = new DigitTransformer(attention, random);
    const course = { ...COURSE, steps };
    const done = [...train(attention, model, training, course, random)];
    const losses = Float64Array.from(done, ({ loss }) => loss);
    const hash = createHash("sha256").update(losses);
    for (const { data } of model.parameters) hash.update(data);
    return { model, losses, digest: hash.digest("hex") };
  });
}

/** Runs `run` where the functions of Math that engines round differently throw. */
function withoutPlatformMathematics<T>(run: () => T): T {
  const names = ["exp", "log", "pow", "sin", "cos", "tanh"] as const;
  const before = names.map((name) => [name, Math[name]] as const);
  for (const name of names) Math[name] = () => assert.fail(`Math.${name} on the way to a result`);
  try {
    return run();
  } finally {
    Object.assign(Math, Object.fromEntries(before));
  }
}

function histogram({ labels }: Digits): number[] {
  const counts = Array<number>(10).fill(0);
  for (const label of labels) counts[label]++;
  return counts;
}
