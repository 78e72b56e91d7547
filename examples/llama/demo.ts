// npm run demo:llama -- --model FILE [--tokenizer FILE] ["Once upon a time"]: a Llama out of a GGUF file, or
// of a llama2.c checkpoint with its tokenizer, goes on with a text.

import { readFileSync } from "node:fs";
import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { readGguf } from "wasm-attention/weights";
import { commandLine, number, orEnd, wholeNumber } from "../arguments";
import { seeded } from "../training/random";
import { sample } from "../write/sampling";
import { llamaOfGguf } from "./gguf";
import { Llama } from "./llama";
import { readLlama2c } from "./llama2c";
import { END, Tokenizer } from "./tokenizer";

const { values, positionals } = commandLine({
  allowPositionals: true,
  options: {
    model: { type: "string" },
    /** llama2.c keeps the tokens in a file of their own. */
    tokenizer: { type: "string" },
    length: { type: "string", default: "200" },
    /** 0 is greedy. */
    temperature: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
  },
});
const length = wholeNumber("length", values.length);
const temperature = number("temperature", values.temperature, { from: 0, to: 100 });
const random = seeded(wholeNumber("seed", values.seed));
/** A line of words for a file that is missing or damaged. */
const orSay = (error: unknown) =>
  orEnd((): never => {
    throw error;
  });
const opened = orEnd(() => {
  if (values.model === undefined) throw new Error("--model FILE: a GGUF or llama2.c checkpoint");
  return readFileSync(values.model);
});
const tokenizerFile = values.tokenizer;
const checkpoint =
  opened.toString("latin1", 0, 4) === "GGUF"
    ? await readGguf(opened).then(llamaOfGguf).catch(orSay)
    : orEnd(() =>
        readLlama2c(opened, tokenizerFile === undefined ? undefined : readFileSync(tokenizerFile)),
      );
const tokens = orEnd(() => {
  if (!checkpoint.tokens) throw new Error("--tokenizer FILE: the checkpoint has no tokens");
  return checkpoint.tokens;
});

const attention = await createAttention({ extensions: [positions, cache, blocks] });
const model = new Llama(attention, checkpoint);
const tokenizer = new Tokenizer(tokens);
const ids = tokenizer.encode(positionals.join(" "));
const { layers, heads, size, vocabulary } = model.config;
console.log(
  pc.dim(`${layers} layers, ${heads} heads, ${size} numbers a token, ${vocabulary} tokens\n`),
);
process.stdout.write(pc.bold(tokenizer.decode(ids)));
const begin = performance.now();
const text = model.begin();
const written = [...ids];
let shown = tokenizer.decode(written).length;
let { data } = text.append(ids);
while (written.length < ids.length + length) {
  const id = sample(data.slice(-vocabulary), { temperature }, random);
  written.push(id);
  if (id === END) break;
  // Characters of several tokens are shown when they are whole.
  const whole = tokenizer.decode(written).replace(/\uFFFD+$/u, "");
  process.stdout.write(whole.slice(shown));
  shown = whole.length;
  ({ data } = text.append([id]));
}
const seconds = (performance.now() - begin) / 1000;
const rate = Math.round(written.length / seconds).toLocaleString("en");
console.log(pc.dim(`\n\n${written.length} tokens, ${rate} a second`));
text.dispose();
model.dispose();
attention.dispose();
