// npm run demo:translation [-- --pairs FILE --steps N --fast]: trains a translator of English number
// words, or of the pairs in a tab-separated file, and shows how it looks at what it translates.

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { training as gradients } from "wasm-attention/training";
import { heatmap } from "../semantic-search/heatmap";
import { readArguments } from "./arguments";
import { tooLong } from "./corpus";
import { picture } from "./picture";
import { bar, curve } from "./progress";
import { Training } from "./train";

const { title, corpus, shown, steps, seed, fast } = readArguments();
const folder = fileURLToPath(new URL("../../build/translation/", import.meta.url));

const attention = await createAttention({
  reproducible: !fast,
  extensions: [blocks, positions, gradients, cache],
});
const training = new Training(attention, corpus, seed);
const { source, target } = training;
const [example] = corpus.training;
const cut = (pieces: typeof source, text: string) =>
  pieces
    .encode(text)
    .map((id) => pieces.name(id))
    .join(pc.dim("·"));
const count = (n: number) => n.toLocaleString("en");
console.log(`
${pc.bold(title)}
  ${count(corpus.training.length)} pairs to learn from, ${count(corpus.heldOut.length)} held out
  ${cut(source, example.source)} → ${cut(target, example.target)}
  ${count(training.parameterCount)} parameters, ${attention.variant} build${fast ? "" : ", reproducible"}, Node ${process.versions.node}
`);
if (corpus.leftOut?.length) console.log(`  ${tooLong(corpus.leftOut)}\n`);

const losses: number[] = [];
const begin = performance.now();
let drawn = begin;
for (const loss of training.steps({ steps, warmUp: Math.min(100, steps >> 2), rate: 3e-3 })) {
  losses.push(loss);
  const now = performance.now();
  const due = process.stdout.isTTY
    ? now - drawn > 100
    : Math.floor((losses.length * 10) / steps) > Math.floor(((losses.length - 1) * 10) / steps);
  if (!due && losses.length < steps) continue;
  drawn = now;
  const each = (now - begin) / losses.length;
  const recent = losses.slice(-20);
  const line = [
    `  ${pc.cyan(bar(losses.length / steps, 30))} ${losses.length}/${steps}`,
    `loss ${(recent.reduce((a, b) => a + b) / recent.length).toFixed(4)}`,
    `${each.toFixed(0)} ms a step`,
    `${(((steps - losses.length) * each) / 1000).toFixed(0)} s left`,
  ].join("   ");
  process.stdout.write(process.stdout.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
}
const seconds = (performance.now() - begin) / 1000;
console.log(
  `${process.stdout.isTTY ? "\n" : ""}  ${pc.cyan(curve(losses, 60))} loss, on a logarithmic scale\n`,
);

const exact = training.exactMatch(corpus.heldOut);
const percent = `${(exact * 100).toFixed(1)} %`;
console.log(
  `  ${pc.bold(percent)} of ${count(corpus.heldOut.length)} held-out pairs exactly right, after ${seconds.toFixed(0)} s of training`,
);
const translations = training.translate(corpus.heldOut.map((pair) => pair.source));
corpus.heldOut
  .map((pair, i) => ({ ...pair, got: translations[i] }))
  .filter(({ target, got }) => got !== target)
  .slice(0, 3)
  .forEach(({ source, target, got }) => {
    console.log(`    ${source}: ${pc.red(got)} instead of ${target}`);
  });

console.log(
  "\n  What was looked at while each piece was written, in percent, the mean of four heads",
);
const alignments = shown.map((source) => {
  const [written] = training.translate([source]);
  return { ...training.align(source, written), from: source, to: written };
});
for (const { from, to, source, target, weights } of alignments) {
  console.log(`\n  ${pc.bold(`${from} → ${to}`)}`);
  for (const line of heatmap(target, source, weights.data, pc.isColorSupported))
    console.log(`  ${line}`);
}
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}alignment.svg`, picture(alignments));
console.log(`\n  as a picture: build/translation/alignment.svg\n`);
attention.dispose();
