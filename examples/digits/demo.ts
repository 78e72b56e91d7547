// npm run demo:digits [-- --steps 3000]: a small vision transformer learns handwritten digits by
// this package alone, says how many of 10,000 that it has never seen it knows, and shows what it
// looks at and which images it takes to be alike.

import { mkdir, writeFile } from "node:fs/promises";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { positions } from "wasm-attention/positions";
import { training as gradients } from "wasm-attention/training";
import { commandLine, wholeNumber } from "../arguments";
import { seeded } from "../training/random";
import { attentionGallery, drawLook, firstOfEach, neighbourGallery } from "./gallery";
import { readDigits } from "./images";
import { DigitTransformer } from "./model";
import { nearest } from "./nearest";
import { terminalLines } from "./picture";
import { recognise, represent, train } from "./training";

const { values } = commandLine({ options: { steps: { type: "string", default: "3000" } } });
const steps = wholeNumber("steps", values.steps);
const COURSE = { steps, batch: 64, rate: 5e-3 };
const SEED = 2026;
const BAR = 40;
/** Test images whose nearest training images are looked up. */
const ASKED = 1000;
const NEIGHBOURS = 8;
const FOLDER = "build/digits";

const counted = (n: number) => n.toLocaleString("en");
const percent = (part: number, all: number) => pc.bold(`${((100 * part) / all).toFixed(2)} %`);

const attention = await createAttention({
  threads: "auto",
  reproducible: true,
  extensions: [blocks, positions, gradients],
});
const training = readDigits("train");
const test = readDigits("test");
const random = seeded(SEED);
const model = new DigitTransformer(attention, random);
const parameters = model.parameters.reduce((sum, { data }) => sum + data.length, 0);
console.log(`
${pc.bold("A vision transformer learns handwritten digits")}
  ${counted(parameters)} parameters, ${counted(training.count)} images, ${counted(steps)} steps of ${COURSE.batch}, threads: ${attention.threads}
`);

const begin = performance.now();
const seconds = () => (performance.now() - begin) / 1000;
let smooth: number | undefined;
for (const { step, loss } of train(attention, model, training, COURSE, random)) {
  smooth = smooth === undefined ? loss : smooth + (loss - smooth) / 50;
  // Written over where it can be, else a line in a while.
  const terminal = process.stdout.isTTY;
  if (!terminal && step % Math.ceil(steps / 10) !== 0 && step !== steps) continue;
  const done = Math.round((BAR * step) / steps);
  const bar = pc.cyan("█".repeat(done)) + "·".repeat(BAR - done);
  const line = `  ${bar}  step ${step}  loss ${smooth.toFixed(3)}  ${seconds().toFixed(0)} s`;
  process.stdout.write(terminal && step < steps ? `${line}\r` : `${line}\n`);
}
const trained = seconds();

const guesses = recognise(model, test);
const known = guesses.filter((guess, index) => guess === test.labels[index]).length;
console.log(`
  ${percent(known, test.count)} of ${counted(test.count)} test images recognised, after ${trained.toFixed(0)} s of training

  Two of them, and what the class token looks at in the last block:
`);
for (const digit of [3, 8]) {
  const pictures = drawLook(model, test, firstOfEach(test)[digit]);
  for (const line of terminalLines(pictures, pc.isColorSupported)) console.log(`  ${line}`);
  console.log();
}

const found = nearest(
  attention,
  represent(model, test, ASKED),
  represent(model, training),
  NEIGHBOURS,
);
const alike = found.filter(([{ index }], asked) => training.labels[index] === test.labels[asked]);
console.log(
  `  ${percent(alike.length, ASKED)} of ${counted(ASKED)} test images have a training image of the same digit nearest to them`,
);

await mkdir(FOLDER, { recursive: true });
await writeFile(`${FOLDER}/attention.svg`, attentionGallery(model, test));
await writeFile(
  `${FOLDER}/neighbours.svg`,
  neighbourGallery(test, training, (index) => found[index]),
);
console.log(`\n  pictures: ${FOLDER}/attention.svg, ${FOLDER}/neighbours.svg\n`);
attention.dispose();
