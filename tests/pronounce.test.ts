// The pronouncing example: its dictionary and errors, every gradient of its network along a direction, and a short
// training on words of a small language whose spelling has rules, held to what it must say and look at.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { Course, type Kind } from "../examples/pronounce/course";
import { distance, errorsOf } from "../examples/pronounce/errors";
import { LocationAttention } from "../examples/pronounce/location";
import { dictionary, SHOWN, said, soundCount, spelt, type Word } from "../examples/pronounce/words";
import { RecurrentTranslator } from "../examples/seq2seq-rnn/recurrent";
import { seeded } from "../examples/training/random";
import { checkSlopes } from "./checks/slopes";
import { engine } from "./engines";

test("the distance of two ways to say a word, and errors against the nearest way", () => {
  const of = (a: string, b: string) => {
    const [x, y] = [a, b].map((text) => [...text].map((letter) => letter.charCodeAt(0)));
    return [distance(x, y), distance(y, x)];
  };
  assert.deepEqual(of("kitten", "sitting"), [3, 3]);
  assert.deepEqual(of("", "abc"), [3, 3]);
  assert.deepEqual(of("abc", "abc"), [0, 0]);
  assert.deepEqual(of("ab", "ba"), [2, 2]);
  // Three wrong sounds of eight, in one of two words: the second way of the first is right.
  const wanted = [
    [
      [1, 2],
      [3, 4, 5],
    ],
    [[6, 7, 8, 9, 10]],
  ];
  assert.deepEqual(
    errorsOf(
      [
        [3, 4, 5],
        [6, 7],
      ],
      wanted,
    ),
    { sounds: 3 / 8, words: 1 / 2 },
  );
});

test("the dictionary: stress left out, other ways beside the first, words held out whole", () => {
  const letters = "bcdfghklmnprstvwz";
  const drawn = Array.from({ length: 4000 }, (_, i) => {
    const word = [i % 17, Math.floor(i / 17) % 17, Math.floor(i / 289)].map((j) => letters[j]);
    return [`${word.join("").toUpperCase()}`, "AH0 B IY1"];
  });
  const entries = {
    ...Object.fromEntries(drawn),
    ...{ KNOWLEDGE: "N AA1 L AH0 JH", "KNOWLEDGE(1)": "N AA1 L IH0 JH", MECHANIC: "M" },
    ...{ PHOTOGRAPH: "F", DAUGHTERS: "D", AB: "AH0 B", "O'NEIL": "OW0", ABCDEFGHIJKLM: "AH0" },
    ...{ XYZ: "no sounds" },
  };
  const { training, heldOut } = dictionary(seeded(3), entries);
  assert.equal(heldOut.length, 1000);
  assert.equal(training.length, 3004);
  const words = [...training, ...heldOut].map(({ word }) => word);
  assert.equal(new Set(words).size, 4004);
  assert.ok(SHOWN.every((word) => heldOut.some((held) => held.word === word)));
  const known = heldOut.find(({ word }) => word === "knowledge") as Word;
  assert.deepEqual(known.sounds.map(said), ["N AA L AH JH", "N AA L IH JH"]);
  assert.ok(known.sounds.flat().every((id) => id >= 3 && id < soundCount));
  assert.deepEqual(dictionary(seeded(3), entries).heldOut, heldOut);
});

for (const alpha of [undefined, 1.5])
  test(`every gradient of a network that sees where it looked, alpha ${alpha}`, async () => {
    const attention = await engine("portable");
    const { used } = attention.memory;
    const make = (sizes: { state: number; memory: number; hidden: number }, random: never) =>
      new LocationAttention(attention, sizes, random, alpha);
    const model = new RecurrentTranslator(attention, 11, 13, seeded(7), make as never);
    const sources = [[4, 5, 6, 7, 8], [9], [10, 4, 5]];
    const targets = [[6, 4], [5, 12, 4, 8], []];
    model.learn(sources, targets);
    checkSlopes(model, () => model.learn(sources, targets));
    model.dispose();
    assert.equal(attention.memory.used, used);
  });

/** Words of a language in which a few letters stand for other sounds before some letters. */
function invented(count: number, seed: number): Word[] {
  const { below } = seeded(seed);
  const pick = (texts: string) => texts.split(" ")[below(texts.split(" ").length)];
  const sounds: Record<string, string> = { sh: "SH", ch: "CH", ph: "F", ee: "IY", oo: "UW" };
  const single: Record<string, string> = {
    ...{ a: "AE", e: "EH", i: "IH", o: "AA", u: "AH", b: "B", d: "D", f: "F", g: "G" },
    ...{ k: "K", l: "L", m: "M", n: "N", p: "P", r: "R", s: "S", t: "T", z: "Z" },
  };
  const idOf = new Map(
    Array.from({ length: soundCount - 3 }, (_, i) => [said([i + 3]), i + 3] as const),
  );
  const seen = new Set<string>();
  const words: Word[] = [];
  while (words.length < count) {
    const parts = Array.from({ length: 1 + below(2) }, () => [
      pick("b d f g k l m n p r s t z sh ch ph"),
      pick("a e i o u ee oo"),
      pick("b d g k l m n p r t z"),
    ]).flat();
    const word = parts.join("");
    if (seen.has(word)) continue;
    seen.add(word);
    const way = parts.map((part) => idOf.get(sounds[part] ?? single[part]) as number);
    words.push({ word, sounds: [way] });
  }
  return words;
}

test("a short training: words it has not seen, by sparsemax, letters in their order", async () => {
  const attention = await engine("portable");
  const all = invented(6000, 5);
  const words = { heldOut: all.slice(0, 150), training: all.slice(150) };
  const learn = (kind: Kind, steps: number) => {
    const course = new Course(attention, kind, words, 1);
    const schedule = { steps, warmUp: 20, rate: 4e-3 };
    return { course, losses: [...course.steps(schedule)] };
  };
  const { course, losses } = learn("sparse", 100);
  assert.ok(losses.every(Number.isFinite));
  const { sounds } = course.errors(words.heldOut);
  assert.ok(sounds <= 0.1, `${sounds} of the sounds wrong`);
  // Exact zeros, rows that sum to 1.
  let [zeros, cells] = [0, 0];
  for (const { word } of words.heldOut.slice(0, 20)) {
    const { weights, target } = course.look(word);
    assert.deepEqual(weights.dims, [target.length, word.length]);
    for (let i = 0; i < target.length; i++) {
      const row = weights.data.subarray(i * word.length, (i + 1) * word.length);
      assert.ok(Math.abs(row.reduce((a, b) => a + b) - 1) < 1e-5);
      zeros += row.filter((weight) => weight === 0).length;
      cells += row.length;
    }
  }
  assert.ok(zeros / cells > 0.5, `${zeros} of ${cells} weights are 0`);
  course.dispose();
  // The same numbers again, from the same seed.
  const again = learn("sparse", 3);
  const once = learn("sparse", 3);
  assert.deepEqual(again.losses, once.losses);
  for (const each of [again, once]) each.course.dispose();
  assert.deepEqual(spelt("az"), [3, 28]);
});

test("--help says what there is", () => {
  const all = ["--import", "tsx", "examples/pronounce/demo.ts", "--help"];
  const { status, stdout } = spawnSync(process.execPath, all, { encoding: "utf8" });
  assert.equal(status, 0);
  for (const option of ["WORD", "--steps", "--seed", "--help"]) assert.ok(stdout.includes(option));
});
