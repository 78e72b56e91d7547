// The seeing example: its scenes, its questions, and the model that comes with it, held to what it must answer.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readDigits } from "../examples/digits/images";
import { Blind } from "../examples/see/evaluation";
import { examine, type Report } from "../examples/see/exam";
import { heldOut, namesOf, WORDS } from "../examples/see/lessons";
import { look, meanOf } from "../examples/see/look";
import { ANSWERS, anyKind, ask, askEach, digitsNamed, KINDS } from "../examples/see/questions";
import { NONE, Scenes } from "../examples/see/scenes";
import { SIZES } from "../examples/see/sizes";
import { readerOf } from "../examples/see/weights";
import { UnaskableQuestion } from "../examples/see/words";
import { seeded } from "../examples/training/random";
import { createWhole } from "./engines";

const testScenes = new Scenes(readDigits("test"));
const shipped = (name: string) => readFileSync(new URL(`../examples/see/${name}`, import.meta.url));

test("of each kind of question one, and no text twice", () => {
  const random = seeded(3);
  const counts = new Set<number>();
  for (let i = 0; i < 200; i++) {
    const texts = askEach(testScenes.draw(random), random).map(({ text }) => text);
    assert.equal(new Set(texts).size, texts.length, `${texts}`);
    counts.add(texts.length);
  }
  assert.ok(counts.has(KINDS.length) && Math.min(...counts) >= KINDS.length - 2, `${[...counts]}`);
});

test("a scene has its four digits, each within its quarter", () => {
  const digits = readDigits("test");
  const random = seeded(1);
  for (let i = 0; i < 50; i++) {
    const count = 1 + (i % 4);
    const scene = testScenes.draw(random, count);
    assert.equal(scene.digits.filter((digit) => digit !== NONE).length, count);
    for (const [quarter, digit] of scene.digits.entries()) {
      const [top, left] = [(quarter >> 1) * 32, (quarter & 1) * 32];
      if (digit === NONE) {
        for (let y = top; y < top + 32; y++)
          assert.ok(scene.pixels.subarray(y * 64 + left, y * 64 + left + 32).every((ink) => !ink));
        continue;
      }
      // Some image of that digit, moved by at most 4 pixels, is all that the quarter holds.
      const found = digits.labels.some((label, image) => {
        if (label !== digit) return false;
        for (let down = 0; down <= 4; down++)
          for (let right = 0; right <= 4; right++)
            if (holds(scene.pixels, [top, left], digits.pixels, image, [down, right])) return true;
        return false;
      });
      assert.ok(found, `scene ${i}, quarter ${quarter}, a ${digit}`);
    }
  }
});

/** Rows that tell images apart are enough: all 32 × 32 pixels of the quarter. */
function holds(
  scene: Uint8Array,
  [top, left]: readonly [number, number],
  pixels: Uint8Array,
  image: number,
  [down, right]: readonly [number, number],
): boolean {
  for (let y = 0; y < 32; y++) {
    for (let x = 0; x < 32; x++) {
      const [row, column] = [y - down, x - right];
      const inside = row >= 0 && row < 28 && column >= 0 && column < 28;
      const ink = inside ? pixels[(image * 28 + row) * 28 + column] : 0;
      if (scene[(top + y) * 64 + left + x] !== ink) return false;
    }
  }
  return true;
}

test("every question has the answer that a reader of its words finds", () => {
  const random = seeded(2);
  const counts = new Map<string, number>();
  for (let i = 0; i < 5000; i++) {
    const scene = testScenes.draw(random, 1 + (i % 4));
    const { text, answer, kind } = ask(scene, anyKind(random), random);
    assert.equal(answer, found(text, scene.digits), `${scene.digits}: ${text}`);
    assert.ok(ANSWERS.includes(answer));
    WORDS.encode(text);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  for (const kind of KINDS) assert.ok((counts.get(kind) ?? 0) > 400, kind);
});

const ONE = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** By the words alone, written apart from what makes the questions. */
function found(text: string, digits: readonly number[]): string {
  const rows = [digits.slice(0, 2), digits.slice(2)];
  const places = ["top left", "top right", "bottom left", "bottom right"];
  const named = () => ONE.findIndex((name) => new RegExp(`\\b${name}(e?s)?\\b`).test(text));
  const place = places.findIndex((name) => text.includes(`at the ${name}`));
  if (place >= 0) return ONE[digits[place]] ?? "nothing";
  if (text.includes("largest")) return ONE[digits.toSorted((a, b) => b - a)[0]];
  if (text.includes("smallest"))
    return ONE[digits.filter((digit) => digit >= 0).toSorted((a, b) => a - b)[0]];
  if (text.startsWith("how many")) return ONE[digits.filter((digit) => digit === named()).length];
  if (text.startsWith("is there")) return digits.includes(named()) ? "yes" : "no";
  if (text.startsWith("where is")) return places[digits.indexOf(named())];
  const at = digits.indexOf(named());
  const [row, column] = [Math.floor(at / 2), at % 2];
  const beside = text.includes("above")
    ? rows[row - 1]?.[column]
    : text.includes("below")
      ? rows[row + 1]?.[column]
      : text.includes("left of")
        ? rows[row][column - 1]
        : rows[row][column + 1];
  return ONE[beside ?? NONE] ?? "nothing";
}

test("patches with ink have the word of their digit, the others none", () => {
  const scene = testScenes.of([3, NONE, 8, 0], seeded(4));
  const names = namesOf(scene);
  assert.equal(names.length, 64);
  for (const [patch, id] of names.entries()) {
    const digit = scene.digits[(patch >> 5) * 2 + Number(patch % 8 >= 4)];
    const [top, left] = [(patch >> 3) * 8, (patch % 8) * 8];
    const inked = Array.from({ length: 64 }, (_, i) => {
      return scene.pixels[(top + (i >> 3)) * 64 + left + (i % 8)];
    }).some((ink) => ink > 128);
    assert.equal(id, inked ? WORDS.names.indexOf(ONE[digit]) : -1, `patch ${patch}`);
  }
  assert.ok(names.filter((id) => id >= 0).length > 12);
});

test("words: cases and marks do not matter, an unknown word is named", () => {
  assert.deepEqual(WORDS.encode("What is above the FIVE"), WORDS.encode("what is above the five?"));
  assert.equal(WORDS.encode("").length, 1);
  assert.deepEqual(WORDS.split("How many sixes?"), ["how", "many", "six", "s", "?"]);
  assert.deepEqual(WORDS.split("how many nines"), ["how", "many", "nine", "s", "?"]);
  assert.throws(() => WORDS.encode("what is a whale?"), /^Error: “whale” is no word .*above/);
  assert.throws(() => WORDS.encode("a ".repeat(40)), UnaskableQuestion);
  assert.deepEqual(digitsNamed("Which is left of the six, or are there nines?"), [6, 9]);
});

test("held-out scenes are always the same, and have handwriting of the test images alone", () => {
  const asked = heldOut(testScenes);
  assert.equal(asked.flatMap(({ questions }) => questions).length, 2000);
  assert.deepEqual(asked.slice(0, 20), heldOut(testScenes).slice(0, 20));
});

test("the model that comes with it: at most 1 MB, 95 % of 2,000 held-out questions", async (t) => {
  const bytes = shipped("model.safetensors");
  assert.ok(bytes.length <= 1_000_000, `${bytes.length} bytes`);
  const attention = await createWhole({ threads: 2, reproducible: true });
  const reader = await readerOf(attention, bytes);
  const { all, blind, kinds } = examine(reader, testScenes);
  t.diagnostic(`${all.right} of ${all.of}, without looking ${blind.right}`);
  assert.equal(all.of, 2000);
  assert.ok(all.right / all.of >= 0.95, `${all.right} of ${all.of}`);
  assert.ok(blind.right / blind.of < 0.4, `${blind.right} without looking`);
  const report: Report = JSON.parse(shipped("report.json").toString());
  assert.deepEqual([report.right, report.of], [all.right, all.of]);
  assert.deepEqual(report.kinds, Object.fromEntries(kinds));
  attention.dispose();
});

test("the words look at the digit that they name", async (t) => {
  const attention = await createWhole({ reproducible: true });
  const reader = await readerOf(attention, shipped("model.safetensors"));
  const random = seeded(8);
  let there = 0;
  for (let i = 0; i < 100; i++) {
    const scene = testScenes.of(
      [0, 3, 6, 8].map((digit) => digit + random.below(2)),
      random,
    );
    const quarter = random.below(4);
    const name = ONE[scene.digits[quarter]];
    const { words, weights, answers } = look(
      attention,
      reader,
      scene.pixels,
      `where is the ${name}?`,
    );
    assert.deepEqual(words, ["where", "is", "the", name, "?"]);
    const sum = answers.reduce((total, { probability }) => total + probability, 0);
    assert.ok(Math.abs(sum - 1) < 1e-5);
    assert.deepEqual(weights[0].dims, [SIZES.heads, words.length, 64]);
    const shares = [0, 0, 0, 0];
    meanOf(weights)[words.indexOf(name)].forEach((weight, patch) => {
      shares[(patch >> 5) * 2 + Number(patch % 8 >= 4)] += weight;
    });
    assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) < 1e-5);
    if (shares[quarter] === Math.max(...shares)) there++;
  }
  t.diagnostic(`${there} of 100`);
  assert.ok(there >= 80, `${there} of 100`);
  attention.dispose();
});

test("an answer without looking is the one that a question has most often", () => {
  const blind = new Blind([
    ["a", "yes"],
    ["a", "no"],
    ["a", "no"],
  ]);
  assert.equal(blind.answer("a"), "no");
  assert.equal(blind.answer("b"), undefined);
});
