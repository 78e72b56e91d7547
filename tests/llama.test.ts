// A trained Llama out of llama2.c's and ggml's files, held to the logits and tokens that are published for
// it, or that a float64 forward pass over the same weights gives.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { NUMBER_TYPES } from "../examples/llama/blocks";
import type { Checkpoint } from "../examples/llama/checkpoint";
import { llamaOfGguf, readGguf } from "../examples/llama/gguf";
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
const gguf = (name: string) => llamaOfGguf(readGguf(readFileSync(dataFile(`weights/${name}`))));
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
        const checkpoint = gguf(name);
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

interface BlockCase {
  readonly name: string;
  readonly ggml_type: number;
  readonly bytes: string;
  readonly values: readonly number[];
}

test("blocks of integers: exactly ggml's values", needsData, (t) => {
  const { cases } = JSON.parse(readFileSync(dataFile("weights/blocks.json"), "utf8"));
  const read = (cases as BlockCase[]).filter(({ ggml_type }) => NUMBER_TYPES[ggml_type]);
  const types = new Set(read.map(({ ggml_type }) => NUMBER_TYPES[ggml_type].name));
  t.diagnostic(`${read.length} cases of ${[...types].toSorted().join(", ")}`);
  assert.ok(types.size >= 5, `${[...types]}`);
  for (const { name, ggml_type, bytes, values } of read) {
    const got = NUMBER_TYPES[ggml_type].read(Buffer.from(bytes, "hex"));
    const expected = values.flat().map((value) => VALUES[String(value)] ?? Number(value));
    // JSON knows one zero only.
    assert.deepEqual(
      got.map((value) => value + 0),
      Float32Array.from(expected),
      name,
    );
  }
});

/** As JSON has to write them. */
const VALUES: Record<string, number> = { inf: Infinity, "-inf": -Infinity, nan: Number.NaN };

test("blocks with a minimum: d · q + m of four and of five bits", () => {
  // d = 0.5, m = −3; the lower half of a byte is number j, the upper one number j + 16.
  const head = [0x00, 0x38, 0x00, 0xc2];
  const pairs = Array.from({ length: 16 }, (_, j) => j | ((15 - j) << 4));
  const codes = [...Array(16).keys(), ...[...Array(16).keys()].reverse()];
  const q41 = NUMBER_TYPES[3].read(Uint8Array.from([...head, ...pairs]));
  assert.deepEqual(
    [...q41],
    codes.map((code) => 0.5 * code - 3),
  );
  // Fifth bits: of numbers 0, 9 and 31.
  const fifths = [0x01, 0x02, 0x00, 0x80];
  const q51 = NUMBER_TYPES[7].read(Uint8Array.from([...head, ...fifths, ...pairs]));
  const five = codes.map((code, i) => code + ([0, 9, 31].includes(i) ? 16 : 0));
  assert.deepEqual(
    [...q51],
    five.map((code) => 0.5 * code - 3),
  );
  const halves = NUMBER_TYPES[1].read(Uint8Array.of(0x00, 0x3c, 0x01, 0x00));
  assert.deepEqual([...halves], [1, 2 ** -24]);
});

test("a damaged file is refused, wherever it ends", needsData, () => {
  const whole = readFileSync(dataFile(`weights/${ggufs[1]}`));
  for (const length of [0, 3, 4, 20, 100, 3000, 20_000, whole.length - 100]) {
    assert.throws(
      () => readGguf(whole.subarray(0, length)),
      /GGUF|is not in the file/u,
      `${length}`,
    );
  }
  const other = Uint8Array.from(whole);
  other[4] = 1;
  assert.throws(() => readGguf(other), /version 1/u);
  const empty = readFileSync(dataFile("weights/weight-inspect-empty.gguf"));
  assert.equal(readGguf(empty).tensors.size, 0);
  const noData = readFileSync(dataFile("weights/weight-inspect-tiny.gguf"));
  assert.throws(() => readGguf(noData), /test\.weight\.0: F32 \[128,64\] is not in the file/u);
});

test("text that no piece spells is spelt in bytes, and comes back", needsModels, () => {
  const tokenizer = tokenizerOf(llama2c());
  for (const text of ["Lily", "naïve — 日本語 🐋", " two  spaces ", ""]) {
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  }
  assert.deepEqual(tokenizer.encode("ï").slice(-2), [0xc3 + 3, 0xaf + 3]);
});
