// A trained Llama out of llama2.c's and ggml's files, held to the logits and tokens that are published for
// it, or that a float64 forward pass over the same weights gives.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readGguf, readSafetensors } from "wasm-attention/weights";
import type { Checkpoint } from "../examples/llama/checkpoint";
import { llamaOfGguf } from "../examples/llama/gguf";
import { llamaOfSafetensors } from "../examples/llama/hugging-face";
import { Llama } from "../examples/llama/llama";
import { readLlama2c } from "../examples/llama/llama2c";
import { Tokenizer } from "../examples/llama/tokenizer";
import { greedy } from "../examples/write/sampling";
import { engine, type Variant, variants } from "./engines";
import { dataFile, needsData } from "./models/data";
import { modelFile, needsModels } from "./models/folder";

interface Expected {
  readonly prompt: string;
  readonly tokens: readonly number[];
  readonly last_logits: readonly number[];
  readonly greedy: readonly number[];
  readonly text: string;
}

/** What run.c writes at temperature 0 in 200 steps: test_all.py of karpathy/llama2.c, and its README. */
const STORY = `Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high.
Lily's mom said, "Lily, let's go to the park." Lily was sad and didn't know what to do. She said, "I want to play with your ball, but I can't find it."
Lily was sad and didn't know what to do. She said, "I'm sorry, Lily. I didn't know what to do."
Lily didn't want to help her mom, so she`;

const ggufs = ["stories260k-f16.gguf", "stories260k-q8_0.gguf"];
const gguf = async (name: string) =>
  llamaOfGguf(await readGguf(readFileSync(dataFile(`weights/${name}`))));
const expectedOf = (name: string): Expected[] =>
  JSON.parse(readFileSync(dataFile("weights/expected.json"), "utf8")).models[name];

const llama2c = () =>
  readLlama2c(
    readFileSync(modelFile("stories260k/stories260K.bin")),
    readFileSync(modelFile("stories260k/tok512.bin")),
  );

const tokenizerOf = ({ tokens }: Checkpoint) => new Tokenizer(tokens ?? assert.fail("no tokens"));

/** The likeliest token after `ids`, `count` times; the prompt is read in parts of `cut` tokens. */
async function goOn(
  variant: Variant,
  checkpoint: Checkpoint,
  ids: readonly number[],
  { count, cut = ids.length }: { count: number; cut?: number },
) {
  const attention = await engine(variant);
  const { used } = attention.memory;
  const model = new Llama(attention, checkpoint);
  const text = model.begin();
  let last = new Float32Array();
  for (let from = 0; from < ids.length; from += cut) {
    last = lastOf(text.append(ids.slice(from, from + cut)).data, model.config.vocabulary);
  }
  const logits = last;
  const written: number[] = [];
  for (let at = 0; at < count; at++) {
    const id = greedy(last);
    written.push(id);
    last = lastOf(text.append([id]).data, model.config.vocabulary);
  }
  text.dispose();
  model.dispose();
  assert.equal(attention.memory.used, used);
  attention.dispose();
  return { logits, written };
}

const lastOf = (logits: Float32Array, count: number) => logits.slice(-count);

for (const variant of variants) {
  for (const name of ggufs) {
    test(
      `${name}: the logits and tokens of a float64 forward pass, ${variant}`,
      needsData,
      async (t) => {
        const checkpoint = await gguf(name);
        const tokenizer = tokenizerOf(checkpoint);
        for (const expected of expectedOf(name)) {
          const ids = tokenizer.encode(expected.prompt);
          assert.deepEqual(ids, expected.tokens);
          const { logits, written } = await goOn(variant, checkpoint, ids, { count: 32 });
          const errors = expected.last_logits.map((logit, id) => Math.abs(logit - logits[id]));
          const worst = Math.max(...errors);
          t.diagnostic(`${expected.prompt}: error of logits ${worst.toExponential(1)}`);
          assert.ok(worst < 3e-5, `${worst}`);
          assert.deepEqual(written, expected.greedy);
          assert.equal(tokenizer.decode([...ids, ...written]), expected.text);
        }
      },
    );
  }

  test(`the same of safetensors in bfloat16, ${variant}`, needsData, async (t) => {
    const name = "stories260k-bf16";
    const file = await readSafetensors(readFileSync(dataFile(`weights/${name}.safetensors`)));
    const config = JSON.parse(readFileSync(dataFile(`weights/${name}.config.json`), "utf8"));
    const checkpoint = await llamaOfSafetensors(file, config);
    for (const { prompt, tokens, last_logits, greedy } of expectedOf(`${name}.safetensors`)) {
      const { logits, written } = await goOn(variant, checkpoint, tokens, { count: 32 });
      const worst = Math.max(...last_logits.map((logit, id) => Math.abs(logit - logits[id])));
      t.diagnostic(`${prompt}: error of logits ${worst.toExponential(1)}`);
      assert.ok(worst < 3e-5, `${worst}`);
      assert.deepEqual(written, greedy);
    }
  });

  test(`stories260K.bin: the story that run.c writes, ${variant}`, needsModels, async () => {
    const checkpoint = llama2c();
    const tokenizer = tokenizerOf(checkpoint);
    const { written } = await goOn(variant, checkpoint, tokenizer.encode(""), { count: 200 });
    assert.equal(tokenizer.decode(written).trimStart().slice(0, STORY.length), STORY);
  });

  test(`a prompt cut in parts of any size: the same bits, ${variant}`, needsModels, async () => {
    const checkpoint = llama2c();
    const ids = tokenizerOf(checkpoint).encode(
      "Lily and Ben went to the big park. It was a sunny day",
    );
    const whole = await goOn(variant, checkpoint, ids, { count: 5 });
    for (const cut of [1, 2, 7]) {
      assert.deepEqual(await goOn(variant, checkpoint, ids, { count: 5, cut }), whole, `${cut}`);
    }
  });
}
