// The translator of number words: its pieces, its gradients, and a short training held to what it
// must reach, with the same bits everywhere.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Adam } from "../examples/training/block";
import { seeded } from "../examples/training/random";
import { decoded, numberPair, numbers, pairsOf } from "../examples/translation/corpus";
import { picture } from "../examples/translation/picture";
import { BEGIN, END, Pieces, UNKNOWN } from "../examples/translation/pieces";
import { bar, curve } from "../examples/translation/progress";
import { Training } from "../examples/translation/train";
import { Translator } from "../examples/translation/translator";
import type { Beam } from "../examples/write/generate";
import { logSumExp } from "../examples/write/sampling";
import { checkSlopes } from "./checks/slopes";
import { engine } from "./engines";

const corpus = numbers(seeded(1));
const german = Pieces.learn(corpus.training.map(({ target }) => target));

/** Of every loss's 64 bits, on every engine. */
const DIGEST = "40564b76f829a418";
const SHORT = { steps: 300, warmUp: 75, rate: 3e-3 };

test("held-out numbers are not trained on", () => {
  assert.equal(corpus.heldOut.length, 1000);
  assert.equal(corpus.training.length, 20_000);
  const trained = new Set(corpus.training.map(({ source }) => source));
  for (const { source } of corpus.heldOut) assert.ok(!trained.has(source), source);
});

test("compounds fall into pieces that mean something; every text comes back", () => {
  const cut = (text: string) => german.encode(text).map((id) => german.name(id));
  assert.deepEqual(cut("einundzwanzig"), ["ein", "und", "zwanzig"]);
  const long = "vierhundertsechsundfünfzigtausendsiebenhundertneunundachtzig";
  assert.equal(
    cut(long).join("·"),
    "vier·hundert·sechs·und·fünf·zig·tausend·sieben·hundert·neun·und·acht·zig",
  );
  for (const { target } of [...corpus.heldOut, ...corpus.training])
    assert.equal(german.decode(german.encode(target)), target);
  assert.ok(german.encode("Ω").includes(UNKNOWN));
  assert.deepEqual(german.encode(" \n"), []);
});

test("pairs from a text: a source on one side only, lines without a tab refused", () => {
  const lines = Array.from({ length: 300 }, (_, i) => `word ${i % 200}\tWort ${i}\tmore`);
  const { training, heldOut } = pairsOf(`${lines.join("\r\n")}\n\n`, seeded(3));
  assert.equal(training.length + heldOut.length, 300);
  assert.ok(heldOut.length >= 10);
  const sources = new Set(training.map(({ source }) => source));
  assert.ok(heldOut.every(({ source }) => !sources.has(source)));
  assert.ok(training.every(({ target }) => /^Wort \d+$/u.test(target)));
  assert.throws(
    () => pairsOf("a\tb\nno tab", seeded(3)),
    /line 2 is not source, tab, target: no tab/,
  );
  assert.throws(() => pairsOf("a\tb\n\n \tb", seeded(3)), /line 3/);
  const words = "word ".repeat(20_000);
  const some = ["a\tb", `${words}\tc`, "d\te", `f\t${words}`].join("\n");
  const pairs = pairsOf(some, seeded(3));
  assert.deepEqual(pairs.leftOut, [2, 4]);
  assert.equal(pairs.training.length + pairs.heldOut.length, 2);
  assert.throws(
    () => pairsOf(`a\tb\n${words}\tc`, seeded(3)),
    /at least two different sources are needed; left out as longer than 400 letters: line 2$/,
  );
  assert.throws(() => pairsOf(words, seeded(3)), /^CorpusError: line 1 is not .{0,100}…$/);
  assert.throws(() => pairsOf("", seeded(3)), /at least two/);
  assert.throws(() => pairsOf("a\tb\na\tc", seeded(3)), /at least two/);
});

test("a file is UTF-8, with a mark or without; UTF-16 and others are named", () => {
  const text = "één\teins\n";
  const utf8 = Buffer.from(text);
  const utf16 = Buffer.from(text, "utf16le");
  assert.equal(decoded("pairs.tsv", utf8), text);
  assert.equal(decoded("pairs.tsv", Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), utf8])), text);
  const refused = (bytes: Uint8Array, message: RegExp) =>
    assert.throws(() => decoded("pairs.tsv", bytes), { name: "CorpusError", message });
  refused(
    Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]),
    /^pairs.tsv is UTF-16 .* save it as UTF-8/,
  );
  refused(Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(utf16).swap16()]), /is UTF-16/);
  refused(utf16, /is UTF-16/);
  refused(Buffer.from(text, "latin1"), /^pairs.tsv is not UTF-8/);
});

test("the whole model's gradient, along random directions", async () => {
  const attention = await engine("portable");
  const model = new Translator(attention, 9, 11, seeded(2));
  const sources = [[4, 5, 6, 7], [8, 4], [5]];
  const targets = [[4, 10], [9, 8, 7], [6]];
  model.learn(sources, targets);
  checkSlopes(model, () => model.learn(sources, targets));
  attention.dispose();
});

test("pieces written one at a time, with what is before them kept: the same bits as at once", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  const model = new Translator(attention, 9, 11, seeded(2));
  const sources = [[4, 5, 6, 7], [8, 4], [5]];
  const texts = [
    [BEGIN, 4, 10, 9],
    [BEGIN, 8, 7, 4],
    [BEGIN, 6, 6, 5],
  ];
  const whole = model.begin(sources);
  const { logits } = whole.append(texts);
  const parts = model.begin(sources);
  let last = logits;
  for (let at = 0; at < 4; at++) last = parts.append(texts.map((ids) => [ids[at]])).logits;
  assert.deepEqual(last, logits);
  const alone = model.begin([sources[1]]);
  assert.deepEqual(alone.append([texts[1]]).logits.data, logits.data.slice(11, 22));
  for (const decoder of [whole, parts, alone]) decoder.dispose();

  const [greedy] = model.translate([sources[0]], 7);
  const [beam] = model.translateBeams(sources[0], 1, 7);
  assert.deepEqual(beam.ids, greedy);
  const beams = model.translateBeams(sources[0], 4, 7);
  const mean = ({ ids, score, ended }: Beam) => score / (ids.length + Number(ended));
  assert.ok(mean(beams[0]) >= mean(beam) - 1e-9);
  // A beam's score is that of its pieces, each written after those before it.
  for (const { ids, score, ended } of beams) {
    const text = [BEGIN, ...ids, ...(ended ? [END] : [])];
    const decoder = model.begin([sources[0]]);
    let sum = 0;
    for (let at = 0; at + 1 < text.length; at++) {
      const { data } = decoder.append([[text[at]]]).logits;
      sum += data[text[at + 1]] - logSumExp(data);
    }
    decoder.dispose();
    assert.ok(Math.abs(sum - score) < 1e-5, `${sum}, ${score}`);
  }
  model.dispose();
  assert.equal(attention.memory.used, used);
  attention.dispose();
});

/** Runs `run` where every function of Math that engines may round differently throws. */
function withoutPlatformMathematics<T>(run: () => T): T {
  const exact = [
    "abs",
    "ceil",
    "floor",
    "fround",
    "imul",
    "max",
    "min",
    "round",
    "sqrt",
    "trunc",
    "clz32",
    "sign",
  ];
  const replaced = Object.getOwnPropertyNames(Math)
    .filter((name) => typeof Math[name as "exp"] === "function" && !exact.includes(name))
    .map((name) => [name, Math[name as "exp"]] as const);
  for (const [name] of replaced)
    Object.assign(Math, { [name]: () => assert.fail(`Math.${name} on the way to a result`) });
  try {
    return run();
  } finally {
    Object.assign(Math, Object.fromEntries(replaced));
  }
}

test("a short training: the same bits everywhere, most held-out numbers right, crossed alignments", async () => {
  const attention = await engine("portable");
  const training = withoutPlatformMathematics(() => new Training(attention, corpus, 1));
  const losses = withoutPlatformMathematics(() => [...training.steps(SHORT)]);
  const digest = createHash("sha256")
    .update(new Uint8Array(Float64Array.from(losses).buffer))
    .digest("hex")
    .slice(0, 16);
  assert.equal(digest, DIGEST);
  assert.ok(
    losses[0] > 3 && losses[0] < 6,
    `${losses[0]} at first: the logarithm of 65 pieces is 4.2`,
  );

  const exact = training.exactMatch(corpus.heldOut);
  assert.ok(exact >= 0.95, `${exact} of the held-out numbers`);

  const { source, target } = numberPair(21);
  assert.deepEqual(training.translate([source]), [target]);
  const [best, next] = training.translator.translateBeams(training.source.encode(source), 3, 12);
  assert.equal(training.target.decode(best.ids), target);
  assert.ok(best.ended && best.score > -0.5 && next.score < best.score, `${best.score}`);
  const alignment = training.align(source);
  assert.deepEqual(alignment.source, ["twenty", "-", "one"]);
  assert.deepEqual(alignment.target, ["ein", "und", "zwanzig", "end"]);
  const { data, dims } = alignment.weights;
  assert.deepEqual(dims, [4, 3]);
  const looks = [0, 1, 2, 3].map((row) => {
    const weights = [...data.subarray(row * 3, row * 3 + 3)];
    assert.ok(Math.abs(weights.reduce((a, b) => a + b) - 1) < 1e-5);
    return weights.indexOf(Math.max(...weights));
  });
  assert.equal(looks[0], 2, "ein looks at one");
  assert.ok(looks[2] < looks[0], "zwanzig looks before it: the order crosses");

  const drawn = picture([{ ...alignment, from: source, to: `<${target}>` }]);
  assert.equal(drawn.match(/<rect /gu)?.length, 12);
  assert.match(drawn, />twenty-one<.*>→ &#60;einundzwanzig&#62;</u);
  attention.dispose();
});

test("memory does not grow while training, and all of it is given back", async () => {
  const attention = await engine("portable");
  const { used: before } = attention.memory;
  const model = new Translator(attention, 9, 11, seeded(2));
  const adam = new Adam(model.parameters);
  const used = () => {
    model.learn([[4, 5], [6]], [[7], [8, 9]]);
    adam.step(1e-3);
    model.update();
    return attention.memory.used;
  };
  const first = used();
  for (let i = 0; i < 5; i++) assert.equal(used(), first);
  model.dispose();
  assert.equal(attention.memory.used, before);
  attention.dispose();
});

const demo = (...args: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", "examples/translation/demo.ts", ...args], {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });

test("the script on any tab-separated corpus", () => {
  const folder = mkdtempSync(join(tmpdir(), "pairs-"));
  const file = join(folder, "pairs.tsv");
  try {
    const words = ["red", "blue", "green", "old", "new", "big", "small", "wet"];
    const pairs = words.flatMap((a) => words.map((b) => `${a} ${b}\t${b}<${a}>`));
    writeFileSync(file, pairs.join("\n"));
    const { status, stdout, stderr } = demo("--pairs", file, "--steps", "60");
    assert.equal(status, 0, stderr);
    assert.match(stdout, /60 pairs to learn from, 4 held out/);
    assert.match(stdout, /60\/60 {3}loss 0\./);
    assert.match(stdout, /% of 4 held-out pairs exactly right/);
    writeFileSync(file, "no tab here");
    const refused = demo("--pairs", file);
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /^line 1 is not source, tab, target: no tab here\n$/);
    writeFileSync(file, pairs.join("\n"), "utf16le");
    const other = demo("--pairs", file);
    assert.equal(other.status, 2);
    assert.match(other.stderr, /^.*pairs.tsv is UTF-16 \(or no text\): save it as UTF-8\n$/);
    const long = `${"word ".repeat(20_000)}\tlong`;
    writeFileSync(file, [long, ...pairs].join("\n"));
    const told = demo("--pairs", file, "--steps", "2");
    assert.equal(told.status, 0, told.stderr);
    assert.match(told.stdout, /left out as longer than 400 letters: line 1\n/);
  } finally {
    rmSync(folder, { recursive: true });
  }
  assert.match(demo("--pairs", file).stderr, /^ENOENT/);
});

test("the bar and the curve", () => {
  assert.equal(bar(0.5, 4), "██··");
  assert.equal(bar(0.53, 4), "██▏·");
  assert.equal(bar(2, 3), "███");
  assert.equal(curve([100, 100, 10, 10, 1, 1], 3), "█▅▁");
  assert.equal(curve([1], 5), "▁");
});
