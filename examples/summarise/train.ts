// npm run demo:summarise:train [-- --pairs file.jsonl]: trains the pointer, on chapters of Moby Dick whose sentences
// say most of the rest, or on texts with summaries, and measures it on every fifth text, which it never sees.

import { readFileSync, writeFileSync } from "node:fs";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { positions } from "wasm-attention/positions";
import { training } from "wasm-attention/training";
import { commandLine, orEnd, wholeNumber } from "../arguments";
import { SentenceEncoder } from "../semantic-search/encoder";
import { readModelFile } from "../semantic-search/files";
import { seeded } from "../training/random";
import { bar, curve } from "../translation/progress";
import { type Lesson, train } from "./course";
import { CHAPTERS, pointerFile, readChapter } from "./files";
import { found, lessonsOfPairs, lessonsOfText } from "./lessons";
import { pairsOf } from "./pairs";
import { Pointer } from "./pointer";
import { Summariser } from "./summarise";

const HELP = `npm run demo:summarise:train [-- options]

  --pairs FILE       lines of JSON, { "text", "summary" or "summaries", "query"? }; without it chapters of Moby Dick
  --texts N          at most so many of them (36 chapters, all pairs)
  --passes N         how often each text is seen (5)
  --seed N           (1)
  --out FILE         where the weights go (examples/summarise/pointer.safetensors)
  --help             this`;
const BATCH = 8;
const RATE = 3e-4;
/** Of the texts, every so many is kept apart. */
const HELD_OUT = 5;

const { values } = commandLine({
  options: {
    pairs: { type: "string" },
    texts: { type: "string" },
    passes: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const { pairs: file, out } = values;
const seed = wholeNumber("seed", values.seed);
const passes = wholeNumber("passes", values.passes);
const most = wholeNumber("texts", values.texts ?? (file === undefined ? "36" : "1000000"));
const pairs = orEnd(() => (file === undefined ? undefined : pairsOf(readFileSync(file, "utf8"))));
const chapters = Array.from({ length: CHAPTERS }, (_, i) => i + 1);
const texts = orEnd(() => pairs ?? chapters.map(readChapter)).slice(0, most);
if (texts.length < HELD_OUT) {
  console.error(`a course needs ${HELD_OUT} texts or more, got ${texts.length}`);
  process.exit(2);
}

const attention = await createAttention({
  threads: "auto",
  reproducible: true,
  extensions: [blocks, positions, training],
});
const summariser = new Summariser(attention, await SentenceEncoder.load(attention, readModelFile));
console.log(`
${pc.bold("A pointer learns which sentences make a summary")}
  ${texts.length} ${pairs ? `texts of ${file}` : "chapters of Moby Dick"}, every fifth kept apart, threads: ${attention.threads}
`);
const lessons: Lesson[] = [];
const heldOut: Lesson[] = [];
for (const [i, text] of texts.entries()) {
  const made =
    typeof text === "string" ? lessonsOfText(summariser, text) : lessonsOfPairs(summariser, [text]);
  (i % HELD_OUT === HELD_OUT - 1 ? heldOut : lessons).push(...made);
  report("reading", i + 1, texts.length, `${lessons.length + heldOut.length} pieces`);
}
if (lessons.length === 0 || heldOut.length === 0) {
  console.error("no text is longer than its summary");
  process.exit(2);
}
const random = seeded(seed);
const pointer = new Pointer(attention, random);
const steps = Math.ceil((lessons.length * passes) / BATCH);
const losses: number[] = [];
for (const loss of train(
  attention,
  pointer,
  lessons,
  { steps, batch: BATCH, rate: RATE },
  random,
)) {
  losses.push(loss);
  const recent = losses.slice(-10);
  const mean = recent.reduce((a, b) => a + b) / recent.length;
  report("learning", losses.length, steps, `loss ${mean.toFixed(3)}`);
}
console.log(`\n  ${pc.cyan(curve(losses, 60))} loss\n`);
const percent = (share: number) => pc.bold(`${(share * 100).toFixed(1)} %`);
const shares = found(pointer, heldOut);
console.log(`  of the right sentences of ${heldOut.length} pieces never trained on
    ${percent(shares.pointer)} are pointed at
    ${percent(shares.untrained)} are attended to most, without training
    ${percent(shares.first)} stand first
`);
const bytes = pointer.pack();
writeFileSync(out ?? pointerFile, bytes);
console.log(`  ${bytes.length.toLocaleString("en")} bytes: ${out ?? "pointer.safetensors"}`);
attention.dispose();

function report(what: string, done: number, all: number, beside: string): void {
  const line = `  ${pc.cyan(bar(done / all, 30))} ${what} ${done}/${all}   ${beside}`;
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line}${done === all ? "\n" : ""}`);
  else if (done % 20 === 0 || done === all) console.log(line);
}
