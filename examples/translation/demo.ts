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
import { Training } from "./train";
import { watch } from "./watch";

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

const schedule = { steps, warmUp: Math.min(100, steps >> 2), rate: 3e-3 };
const { seconds } = watch(steps, training.steps(schedule));

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
