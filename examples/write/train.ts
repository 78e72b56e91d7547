// npm run demo:write:train [-- --check | --evaluate]: trains the model that comes with this example, from
// the text and a seed alone, and measures it on chapters that it has not seen. The same bits on every
// machine: --check says whether they are those of the files. --evaluate measures what there is.

import { readFileSync, writeFileSync } from "node:fs";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { training as gradients } from "wasm-attention/training";
import { commandLine } from "../arguments";
import { seeded } from "../training/random";
import { bar, curve } from "../translation/progress";
import { HELD_OUT, readBook } from "./corpus";
import { train } from "./course";
import { evaluate, type Report } from "./evaluation";
import { LanguageModel } from "./language-model";
import { Vocabulary } from "./text";
import { packModel, unpackModel } from "./weights";
import { Writer } from "./writer";

const SEED = 2026;
const COURSE = { steps: 1800, batch: 4, length: 128, rate: 5e-3 };
const SHAPE = { size: 128, heads: 4, layers: 4, hidden: 384 };
const BAR = 30;
const file = (name: string) => new URL(name, import.meta.url);

const { values } = commandLine({
  options: {
    /** Whether the files are what the training gives, instead of writing them. */
    check: { type: "boolean", default: false },
    /** Measures the model that is there, instead of training one. */
    evaluate: { type: "boolean", default: false },
  },
});
const counted = (n: number) => n.toLocaleString("en");
const book = readBook();
const attention = await createAttention({
  threads: "auto",
  reproducible: true,
  extensions: [blocks, positions, gradients, cache],
});
const bytes = values.evaluate ? readFileSync(file("model.safetensors")) : trained();
const writer = new Writer(attention, await unpackModel(bytes));
const report = evaluate(writer, writer.model.vocabulary, book);
const json = `${JSON.stringify(report, undefined, 2)}\n`;
const perCharacter = (loss: number) => (loss * report.pieces) / report.characters / Math.LN2;
for (const [name, loss] of [
  ["the model", report.loss],
  ["with keys and values in int8", report.int8Loss],
  ["counted pairs", report.bigramLoss],
] as const) {
  console.log(
    `  loss on ${HELD_OUT.length} chapters never trained on, ${name}: ${pc.bold(loss.toFixed(4))} nats a piece, ${perCharacter(loss).toFixed(3)} bits a character`,
  );
}
if (values.check || values.evaluate) {
  const kept: Report = JSON.parse(readFileSync(file("report.json"), "utf8"));
  const names = ["pieces", "characters", "loss", "int8Loss", "bigramLoss"] as const;
  // Logarithms are the engine's own, and may differ in their last bit.
  compared(
    "report.json",
    names.every((name) => Math.abs(kept[name] - report[name]) < 1e-3),
  );
  if (values.check) {
    const written = readFileSync(file("model.safetensors"));
    compared("model.safetensors", Buffer.compare(written, bytes) === 0);
  }
} else {
  writeFileSync(file("model.safetensors"), bytes);
  writeFileSync(file("report.json"), json);
  console.log(`  ${counted(bytes.length)} bytes: model.safetensors`);
}
attention.dispose();

function trained(): Uint8Array {
  const vocabulary = Vocabulary.learn(book.training);
  const pieces = Int32Array.from(book.training.flatMap((text) => vocabulary.encode(text)));
  const shape = { ...SHAPE, vocabulary: vocabulary.names.length };
  const random = seeded(SEED);
  const model = new LanguageModel(attention, shape, random);
  const parameters = model.parameters.reduce((sum, { data }) => sum + data.length, 0);
  console.log(`
${pc.bold("A transformer learns to write from Moby Dick")}
  ${counted(pieces.length)} pieces of ${counted(shape.vocabulary)} kinds, ${counted(parameters)} parameters, threads: ${attention.threads}
`);
  const { steps } = COURSE;
  const losses: number[] = [];
  const begin = performance.now();
  for (const loss of train(attention, model, pieces, COURSE, random)) {
    losses.push(loss);
    if (!process.stdout.isTTY && losses.length % 50) continue;
    const seconds = (performance.now() - begin) / 1000;
    const left = (seconds / losses.length) * (steps - losses.length);
    const recent = losses.slice(-20);
    const mean = recent.reduce((a, b) => a + b) / recent.length;
    const line = `  ${pc.cyan(bar(losses.length / steps, BAR))} ${losses.length}/${steps}   loss ${mean.toFixed(3)}   ${left.toFixed(0)} s left`;
    process.stdout.write(process.stdout.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
  }
  const seconds = ((performance.now() - begin) / 1000).toFixed(0);
  console.log(`\n  ${pc.cyan(curve(losses, 60))} loss, after ${seconds} s\n`);
  const packed = packModel(shape, vocabulary, model.parameters);
  model.dispose();
  return packed;
}

function compared(name: string, same: boolean): void {
  console.log(`  ${same ? "the same as" : pc.red("other than")} ${name}`);
  if (!same) process.exitCode = 1;
}
