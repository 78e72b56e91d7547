// npm run demo:pronounce [-- --steps N --seed N WORD…]: letters to sounds, by networks that look at the letters in
// three ways, side by side.

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pc from "picocolors";
import { orEnd } from "../arguments";
import { heatmap } from "../semantic-search/heatmap";
import { createEngine } from "../seq2seq-rnn/engine";
import { seeded } from "../training/random";
import { picture, type Titled } from "../translation/picture";
import { watch } from "../translation/watch";
import { readArguments } from "./arguments";
import { Course, KINDS, type Kind } from "./course";
import { dictionary, said } from "./words";

const { shown, steps, seed } = readArguments();
const words = orEnd(() => dictionary(seeded(seed)));
const folder = fileURLToPath(new URL("../../build/pronounce/", import.meta.url));
const attention = await createEngine();
const count = (n: number) => n.toLocaleString("en");
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
const schedule = { steps, warmUp: Math.min(100, steps >> 2), rate: 3e-3 };

console.log(`
${pc.bold("Letters to sounds")}
  ${count(words.training.length)} words to learn from, ${count(words.heldOut.length)} held out, ${steps} steps each
`);

/** Of all weights of the words' letters. */
function zeros(looks: readonly Titled[]): number {
  const all = looks.flatMap(({ weights }) => Array.from(weights.data));
  return all.filter((weight) => weight === 0).length / all.length;
}

function learnt(kind: Kind) {
  const course = new Course(attention, kind, words, seed);
  const parameters = count(course.parameterCount);
  console.log(`  ${pc.bold(KINDS[kind])}`);
  const begin = process.cpuUsage();
  watch(steps, course.steps(schedule));
  // The processor's time: what else the machine does is not counted.
  const { user, system } = process.cpuUsage(begin);
  const each = `${((user + system) / 1000 / steps).toFixed(0)} ms`;
  const errors = course.errors(words.heldOut);
  const looks = shown.map((word) => {
    const look = course.look(word);
    return { ...look, from: word, to: said(look.sounds) };
  });
  course.dispose();
  const cells = [`${parameters} parameters`, `${each} a step`];
  const told = [
    `${pc.bold(percent(errors.sounds))} of the sounds`,
    `${percent(errors.words)} of ${count(words.heldOut.length)} held-out words wrong`,
  ].join(", ");
  const result = `${cells.join(", ")}: ${told}; ${percent(zeros(looks))} of the weights below are 0`;
  console.log(`  ${result}\n`);
  return { kind, result, looks };
}

const results = (Object.keys(KINDS) as Kind[]).map(learnt);
for (const { kind, result } of results) console.log(`  ${KINDS[kind].padEnd(31)}${result}`);

mkdirSync(folder, { recursive: true });
console.log("\n  Which letters were looked at for each sound, in percent");
for (const { kind, looks } of results) {
  console.log(`\n  ${pc.bold(KINDS[kind])}`);
  for (const { from, to, source, target, weights } of looks) {
    console.log(`\n  ${from} → ${to}`);
    for (const line of heatmap(target, source, weights.data, pc.isColorSupported))
      console.log(`  ${line}`);
  }
  writeFileSync(`${folder}${kind}.svg`, picture(looks));
}
const files = results.map(({ kind }) => `${kind}.svg`);
console.log(`\n  as pictures: build/pronounce/${files.join(", ")}\n`);
attention.dispose();
