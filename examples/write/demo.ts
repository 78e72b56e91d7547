// npm run demo:write [-- "The whale" --length 200 --temperature 0.7 --beams 4 --int8]: a small language model, trained
// by train.ts and kept in this folder, goes on writing.

import { readFileSync } from "node:fs";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { seeded } from "../training/random";
import { readArguments } from "./arguments";
import type { Report } from "./evaluation";
import { type Beam, searchBeams, write } from "./generate";
import { unpackModel } from "./weights";
import { type Texts, Writer } from "./writer";

const { beginning, length, beams, sampling, seed, reproducible, int8 } = readArguments();
const file = (name: string) => readFileSync(new URL(name, import.meta.url));
const counted = (n: number) => n.toLocaleString("en");

const bytes = file("model.safetensors");
const report: Report = JSON.parse(file("report.json").toString());
const attention = await createAttention({ reproducible, extensions: [positions, cache] });
const before = attention.memory.used;
const writer = new Writer(attention, await unpackModel(bytes));
const packed = attention.memory.used - before;
const { vocabulary } = writer.model;
const parameters = [...writer.model.weights.values()].reduce(
  (sum, { data }) => sum + data.length,
  0,
);
const bits = (loss: number) => (loss * report.pieces) / report.characters / Math.LN2;
const measure = (loss: number) =>
  `${pc.bold(loss.toFixed(3))} nats a piece (${bits(loss).toFixed(2)} bits a character)`;
console.log(`
${pc.bold("A small language model goes on writing Moby Dick")}
  ${counted(parameters)} parameters in ${counted(bytes.length)} bytes, ${attention.variant} build, one thread, Node ${process.versions.node}
  loss on six chapters that it was not trained on: ${measure(int8 ? report.int8Loss : report.loss)}
  by counting which piece follows which, without attention: ${measure(report.bigramLoss)}
`);

const ids = vocabulary.encode(beginning);
const texts = writer.begin(beams, int8 ? "int8" : "float32");
const begin = performance.now();
process.stdout.write(pc.bold(vocabulary.decode(ids)));
if (beams === 1) {
  for (const id of write(texts, { ids, length, sampling, random: seeded(seed) }))
    process.stdout.write(vocabulary.added(id));
} else {
  for (const best of searchBeams(texts, { beams, ids, length }))
    if (best[0].ids.length === length) show(best);
}
const seconds = (performance.now() - begin) / 1000;
console.log(`

  ${counted(beams * length)} pieces in ${seconds.toFixed(2)} s: ${pc.bold(counted(Math.round((beams * length) / seconds)))} a second
  ${memory(texts)}
`);
texts.dispose();
writer.dispose();
attention.dispose();

/** The best as text, the others with where they part from it. */
function show([best, ...others]: readonly Beam[]): void {
  const written = (ids: readonly number[]) => ids.map((id) => vocabulary.added(id)).join("");
  console.log(written(best.ids));
  console.log(
    `\n  the best of ${beams} beams, ln probability ${best.score.toFixed(2)}; the others:`,
  );
  for (const { ids, score } of others) {
    const parting = ids.findIndex((id, at) => id !== best.ids[at]);
    console.log(`  ${score.toFixed(2)}  …${written(ids.slice(Math.max(0, parting - 4)))}`);
  }
}

function memory({ memory: { bytes, pages }, length }: Texts): string {
  return `keys and values in ${int8 ? "int8" : "float32"} of ${counted(length)} pieces: ${counted(bytes)} bytes in ${counted(pages)} pages; weights: ${counted(packed)} bytes`;
}
