// npm run demo:summarise [-- file.txt] [--query "a question"]: the sentences of a text that its other sentences
// attend to most, or that answer a question, and who attends to them. Without a file a chapter of Moby Dick.

import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { training } from "wasm-attention/training";
import { SentenceEncoder } from "../semantic-search/encoder";
import { readModelFile } from "../semantic-search/files";
import { bar } from "../translation/progress";
import { readArguments } from "./arguments";
import { readPointer } from "./files";
import { highlighted, links, strip, wrapped } from "./picture";
import { Pointer } from "./pointer";
import { Summariser } from "./summarise";
import { counted } from "./text";

const WIDTH = 100;
const { text, title, query, sentences: wanted, trained, plain, whole } = readArguments();
const attention = await createAttention({ threads: "auto", extensions: [blocks, training] });
const encoder = await SentenceEncoder.load(attention, readModelFile);
const summariser = new Summariser(attention, encoder);
const milliseconds = (t: number) => `${Math.round(t).toLocaleString("en")} ms`;

const begin = performance.now();
const document = summariser.embed(text, (share) => {
  if (plain || !process.stderr.isTTY) return;
  const line = `  ${pc.cyan(bar(share, 30))} reading, ${Math.round(share * 100)} %`;
  process.stderr.write(`\r\u001b[K${share < 1 ? line : ""}`);
});
const embedded = performance.now();
const { sentences } = document;
const wish = { sentences: wanted, query };
const summary = summariser.summarise(document, wish);
const pointer = trained ? await Pointer.read(attention, readPointer()) : undefined;
const pointed = pointer?.point(summariser.look(document, query), document, wanted);
const chosen = pointed?.chosen ?? summary.chosen;
const done = performance.now();

if (plain) console.log(chosen.map((i) => sentences[i].text).join("\n"));
else {
  const total = sentences.reduce((sum, { words }) => sum + words.length, 0);
  const kept = chosen.reduce((sum, i) => sum + sentences[i].words.length, 0);
  console.log(`
${pc.bold(title)}
  ${counted(sentences.length, "sentence")}, ${counted(total, "word")} → ${counted(chosen.length, "sentence")}, ${counted(kept, "word")}${query === undefined ? "" : `, asked “${query}”`}
`);
  for (const i of chosen) {
    const number = pc.cyan(`${i + 1}`.padStart(`${sentences.length}`.length));
    console.log(`  ${number}  ${wrapped(sentences[i].text, WIDTH, 8)}\n`);
  }
  console.log("How much each part of the text is attended to, and where the summary is from\n");
  for (const line of strip(summary.received, chosen, 80)) console.log(`  ${line}`);
  console.log(`\nWhich sentences attend most to those of the summary\n`);
  for (const line of links(document, { ...summary, chosen }, WIDTH)) console.log(`  ${line}`);
  if (pointed) {
    console.log("\nThe trained pointer, step by step: which sentences it looked at\n");
    for (const [step, looks] of pointed.looks.entries()) {
      const seen = looks.slice(0, 4).map(({ to, weight }) => `${to + 1} (${percent(weight)})`);
      console.log(`  ${step + 1}.  ${seen.join(", ")}`);
    }
  }
  if (whole) console.log(`\n${highlighted(document, { ...summary, chosen }, WIDTH)}`);
  console.log(`
  build       ${attention.variant}${attention.fused ? ", fused multiply-add" : ""}, threads: ${attention.threads}, on Node ${process.versions.node}
  sentences   embedded in ${pc.bold(milliseconds(embedded - begin))}
  attention   and choice in ${pc.bold(milliseconds(done - embedded))}
`);
}
attention.dispose();

function percent(weight: number): string {
  return `${(weight * 100).toFixed(1)} %`;
}
