// npm run demo:seq2seq:tfjs [-- --steps N --seed N --pairs FILE]: the recurrent network trained inside
// TensorFlow.js, its first losses beside those of the plain one.

import pc from "picocolors";
import { heatmap } from "../../semantic-search/heatmap";
import { type Model, Training } from "../../translation/train";
import { watch } from "../../translation/watch";
import { readArguments } from "../arguments";
import { createEngine } from "../engine";
import { RecurrentTranslator } from "../recurrent";
import { prepare, TfjsTranslator } from "./model";

/** Steps of both whose losses are compared. */
const COMPARED = 3;

const { title, corpus, shown, steps, seed } = readArguments();
await prepare();
const attention = await createEngine();
const schedule = { steps, warmUp: Math.min(100, steps >> 2), rate: 3e-3 };
const plain = new Training<Model>(
  attention,
  corpus,
  seed,
  (_, ...given) => new RecurrentTranslator(attention, ...given),
);
const training = new Training<Model>(
  attention,
  corpus,
  seed,
  (_, ...given) => new TfjsTranslator(new RecurrentTranslator(attention, ...given)),
);
console.log(`\n${pc.bold(title)}, ${steps} steps inside TensorFlow.js\n`);
const wanted: number[] = [];
for (const loss of plain.steps(schedule)) {
  wanted.push(loss);
  if (wanted.length === COMPARED) break;
}
plain.dispose();
const begin = process.cpuUsage();
const { losses } = watch(steps, training.steps(schedule));
const { user, system } = process.cpuUsage(begin);
const apart = Math.max(...wanted.map((loss, i) => Math.abs(loss - losses[i])));
console.log(
  `  its first ${wanted.length} losses are within ${apart.toExponential(0)} of the plain network's`,
);
const exact = `${(training.exactMatch(corpus.heldOut) * 100).toFixed(1)} %`;
const held = corpus.heldOut.length.toLocaleString("en");
const each = ((user + system) / 1000 / steps).toFixed(0);
console.log(
  `  ${each} ms of processor time a step, ${pc.bold(exact)} of ${held} held-out pairs exactly right`,
);
for (const source of shown) {
  const [written] = training.translate([source]);
  const { source: from, target, weights } = training.align(source, written);
  console.log(`\n  ${source} → ${written}`);
  for (const line of heatmap(target, from, weights.data, pc.isColorSupported))
    console.log(`  ${line}`);
}
training.dispose();
attention.dispose();
