// npm run demo:compress [-- --steps 1000]: two models made smaller, before and after. The digits' transformer
// learns first; the sentence encoder comes trained.

import { mkdir, writeFile } from "node:fs/promises";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { positions } from "wasm-attention/positions";
import { quantized } from "wasm-attention/quantized";
import { training as gradients } from "wasm-attention/training";
import { commandLine, wholeNumber } from "../arguments";
import { readDigits } from "../digits/images";
import { DigitTransformer } from "../digits/model";
import { train } from "../digits/training";
import { SentenceEncoder } from "../semantic-search/encoder";
import { readModelFile, readSentences } from "../semantic-search/files";
import { QUESTIONS } from "../semantic-search/questions";
import { seeded } from "../training/random";
import { importances, leastFirst } from "./digits";
import { type Form, factoredOf, layerOf } from "./forms";
import { measureDigits, measureSearch } from "./measure";
import { chart, type Row, table } from "./table";

const HELP = `npm run demo:compress [-- --steps N] [--images N]
  a transformer learns handwritten digits in N steps (1000), then it and a sentence encoder are made smaller: int8,
  int4, fewer heads, low rank; what is still right of N test images (10000) and of a search, bytes and milliseconds`;
const { values } = commandLine({
  options: {
    help: { type: "boolean", default: false },
    steps: { type: "string", default: "1000" },
    images: { type: "string", default: "10000" },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}
const steps = wholeNumber("steps", values.steps);
const images = Math.min(wholeNumber("images", values.images), 10_000);
/** Images whose gradients tell heads apart. */
const ASKED = 200;
const BAR = 40;
const FOLDER = "build/compress";

const attention = await createAttention({ extensions: [blocks, positions, quantized, gradients] });
console.log(`\n${pc.bold("Two models, made smaller")}\n`);

const random = seeded(2026);
const model = new DigitTransformer(attention, random);
const digits = readDigits("train");
const course = { steps, batch: 64, rate: 5e-3 };
for (const { step, loss } of train(attention, model, digits, course, random)) {
  const terminal = process.stdout.isTTY;
  if (!terminal && step % Math.ceil(steps / 5) !== 0 && step !== steps) continue;
  const done = Math.round((BAR * step) / steps);
  const line = `  learning digits  ${pc.cyan("█".repeat(done))}${"·".repeat(BAR - done)}  step ${step}  loss ${loss.toFixed(3)}`;
  process.stdout.write(terminal && step < steps ? `${line}\r` : `${line}\n`);
}
const slopes = importances(attention, model, digits, ASKED);
console.log("\n  importance of each head, the slope of the loss by a mask over heads:");
for (const [block, slope] of slopes.entries()) {
  const shown = Array.from(slope, (value, head) => `${head}: ${value.toExponential(1)}`);
  console.log(`  block ${block + 1}  ${shown.join("  ")}`);
}
const order = slopes.map(leastFirst);
const recognised = measureDigits(attention, model, readDigits("test"), { order, images });
show("The digits' transformer", recognised, "recognised");

const load = (form: Form) =>
  SentenceEncoder.load(attention, readModelFile, {
    product: (projection) => factoredOf(attention, projection, form),
    heads: (layer) => layerOf(layer, form),
  });
const sentences = await readSentences();
const found = await measureSearch(attention, load, { questions: QUESTIONS, sentences });
show(`The sentence encoder, ${QUESTIONS.length} questions`, found, "first found");
console.log(`  "as float32" is of the digits' guesses, and of the five sentences found first

  charts: ${FOLDER}/digits.svg, ${FOLDER}/search.svg
  build ${attention.variant} on Node ${process.versions.node}, one thread; without the table of embeddings\n`);
await mkdir(FOLDER, { recursive: true });
await writeFile(`${FOLDER}/digits.svg`, chart(recognised, "The digits' transformer", "recognised"));
await writeFile(
  `${FOLDER}/search.svg`,
  chart(found, "The sentence encoder", "found first as float32"),
);
attention.dispose();

function show(title: string, rows: readonly Row[], what: string): void {
  console.log(`\n  ${pc.bold(title)}\n`);
  for (const line of table(rows, what)) console.log(`  ${line}`);
  console.log();
}
