// npm run demo:seq2seq [-- --steps N --seed N --pairs FILE]: attention where it was first used, inside a
// recurrent network, trained beside a transformer on the same pairs.

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pc from "picocolors";
import { heatmap } from "../semantic-search/heatmap";
import { picture } from "../translation/picture";
import { type Model, Training } from "../translation/train";
import { watch } from "../translation/watch";
import { readArguments } from "./arguments";
import { createEngine } from "./engine";
import { RecurrentTranslator } from "./recurrent";

const { title, corpus, shown, steps, seed } = readArguments();
const folder = fileURLToPath(new URL("../../build/seq2seq/", import.meta.url));
const attention = await createEngine();
const count = (n: number) => n.toLocaleString("en");
const schedule = { steps, warmUp: Math.min(100, steps >> 2), rate: 3e-3 };

console.log(`
${pc.bold(title)}
  ${count(corpus.training.length)} pairs to learn from, ${count(corpus.heldOut.length)} held out, ${steps} steps each
`);

/** Trains one, and says how it does on pairs that it has not seen. */
function learnt(name: string, training: Training<Model>) {
  const parameters = count(training.parameterCount);
  console.log(`  ${pc.bold(name)}: ${parameters} parameters`);
  const begin = process.cpuUsage();
  watch(steps, training.steps(schedule));
  // The processor's time: what else the machine does is not counted.
  const { user, system } = process.cpuUsage(begin);
  const each = `${((user + system) / 1000 / steps).toFixed(0)} ms`;
  const exact = `${(training.exactMatch(corpus.heldOut) * 100).toFixed(1)} %`;
  const alignments = shown.map((source) => {
    const [written] = training.translate([source]);
    return { ...training.align(source, written), from: source, to: written };
  });
  training.dispose();
  return {
    name,
    parameters,
    each,
    exact,
    alignments,
  };
}

const results = [
  learnt(
    "GRU with additive attention",
    new Training<Model>(
      attention,
      corpus,
      seed,
      (_, ...given) => new RecurrentTranslator(attention, ...given),
    ),
  ),
  learnt("transformer", new Training(attention, corpus, seed)),
];

for (const { name, parameters, each, exact } of results) {
  const cells = [
    name.padEnd(28),
    `${parameters} parameters`.padStart(18),
    `${each} a step`.padStart(16),
  ];
  console.log(
    `  ${cells.join("")}   ${pc.bold(exact)} of ${count(corpus.heldOut.length)} held-out pairs exactly right`,
  );
}

mkdirSync(folder, { recursive: true });
console.log("\n  What was looked at while each piece was written, in percent");
for (const [index, { name, alignments }] of results.entries()) {
  console.log(`\n  ${pc.bold(name)}${index ? ", the mean of four heads" : ""}`);
  for (const { from, to, source, target, weights } of alignments) {
    console.log(`\n  ${from} → ${to}`);
    for (const line of heatmap(target, source, weights.data, pc.isColorSupported))
      console.log(`  ${line}`);
  }
  const file = index ? "transformer.svg" : "recurrent.svg";
  writeFileSync(`${folder}${file}`, picture(alignments));
}
console.log("\n  as pictures: build/seq2seq/recurrent.svg and transformer.svg\n");
attention.dispose();
