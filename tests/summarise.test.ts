// The summarising example: its sentences, who attends to whom, and what is chosen.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { SentenceEncoder } from "../examples/semantic-search/encoder";
import { readModelFile } from "../examples/semantic-search/files";
import { alikeTo, attendMutually, sharedWords } from "../examples/summarise/attention";
import { attendersOf } from "../examples/summarise/looks";
import { bestSentences, gapSentences, pairsOf } from "../examples/summarise/pairs";
import { highlighted, strip, wrapped } from "../examples/summarise/picture";
import { Summariser } from "../examples/summarise/summarise";
import {
  counted,
  isList,
  isTalk,
  saysLittle,
  sentencesOf,
  wordsOf,
} from "../examples/summarise/text";
import { createWhole, engine, variants } from "./engines";
import { encoder, written } from "./summarising";

const textsOf = (text: string) => sentencesOf(text).map(({ text }) => text);

test("how many there are, in words", () => {
  const said = [0, 1, 1008].map((n) => counted(n, "sentence"));
  assert.deepEqual(said, ["0 sentences", "1 sentence", "1,008 sentences"]);
});

test("sentences: of lines, of text broken to a width, with abbreviations, in talk", () => {
  assert.deepEqual(textsOf("One is here. Two is there!\nThree\n\n ... \n"), [
    "One is here.",
    "Two is there!",
    "Three",
  ]);
  const wrappedText = `The sentences of this text have been bro-
ken to a width, as in a mail, and go on in
the next line until they end. Here is one
more of them, which ends here.

And this is a paragraph of its own in it,
which goes on a little too.`;
  assert.deepEqual(textsOf(wrappedText), [
    "The sentences of this text have been broken to a width, as in a mail, and go on in the next line until they end.",
    "Here is one more of them, which ends here.",
    "And this is a paragraph of its own in it, which goes on a little too.",
  ]);
  assert.deepEqual(textsOf("Mr. J. Smith et al. wrote it. Dr. Gray read it."), [
    "Mr. J. Smith et al. wrote it.",
    "Dr. Gray read it.",
  ]);
  const talk = sentencesOf("Ann: Yes. It is.\nHon. Bob Gray: No it is not.\nAnn: Why?");
  assert.ok(isTalk(talk));
  assert.deepEqual(
    talk.map(({ paragraph }) => paragraph),
    [0, 0, 1, 2],
  );
  assert.ok(isList(talk) && !isList(sentencesOf("One is. Two is. Three is.\nFour is.")));
  assert.ok(!isTalk(sentencesOf("It is: yes. No.\nThis is one, no.\nbut: why?")));
  assert.deepEqual(sentencesOf(" \n\n"), []);
  const paragraph = `${"The white whale is seen again by all the men. ".repeat(6)}No. \n`;
  const book = sentencesOf(`A heading of the text\n${paragraph.repeat(3)}`);
  assert.deepEqual(saysLittle(book).slice(0, 8), [true, ...Array(6).fill(false), true]);
});

/** The formula at the top of examples/summarise/attention.ts, in float64. */
function reference(text: ReturnType<Summariser["embed"]>, votes: readonly number[]) {
  const { sentences, embeddings } = text;
  const kinds = sentences.map(({ words }) => new Set(words));
  const weights = sentences.map((_, i) => {
    const row = sentences.map((_, j) => {
      let dot = 0;
      for (let k = 0; k < 512; k++) dot += embeddings[i][k] * embeddings[j][k];
      const both = [...kinds[i]].filter((word) => kinds[j].has(word)).length;
      const alike = 0.3 * dot + 0.7 * ((2 * both) / (kinds[i].size + kinds[j].size));
      return i === j ? 0 : Math.exp(10 * alike - 10);
    });
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((weight) => (sum > 0 ? weight / sum : 0));
  });
  return sentences.map((_, j) => weights.reduce((sum, row, i) => sum + votes[i] * row[j], 0));
}

for (const variant of variants) {
  test(`sentences attend to each other by the formula, in blocks too, ${variant}`, async () => {
    const attention = await engine(variant);
    const summariser = new Summariser(attention, encoder);
    const { used } = attention.memory;
    for (const count of [1, 2, 7, 257, 600]) {
      const text = summariser.embed(written(count));
      assert.equal(text.sentences.length, count);
      const votes = text.sentences.map(({ words }) => words.length);
      const { received, looks } = attendMutually(attention, text, votes);
      for (const [j, expected] of reference(text, votes).entries()) {
        const error = Math.abs(received[j] - expected);
        assert.ok(error <= 1e-5 * (1 + expected), `${count}, ${j}: ${received[j]}, ${expected}`);
      }
      for (const [i, each] of looks.entries()) {
        assert.equal(each.length, Math.min(8, count - 1));
        assert.ok(each.every(({ to }, k) => to !== i && !(each[k - 1]?.weight < each[k].weight)));
      }
    }
    assert.deepEqual(attendMutually(attention, { sentences: [], embeddings: [] }, []).looks, []);
    assert.equal(attention.memory.used, used);
    attention.dispose();
  });
}

test("a summary: in the order of the text, nothing twice, what answers a question", async () => {
  const attention = await createWhole();
  const summariser = new Summariser(attention, encoder);
  const repeated = `${written(9)} ${"The whale is a white whale. ".repeat(4)} ${written(9)}`;
  const text = summariser.embed(repeated);
  for (const sentences of [1, 5, 100]) {
    const { chosen, received } = summariser.summarise(text, { sentences });
    const said = chosen.map((i) => text.sentences[i].words.join(" "));
    assert.equal(new Set(said).size, said.length);
    const shares = chosen.map((i) => sharedWords(text.sentences)(text.sentences[i].words));
    for (const share of shares) assert.equal(chosen.filter((j) => share[j] >= 0.6).length, 1);
    assert.deepEqual(
      chosen,
      chosen.toSorted((a, b) => a - b),
    );
    assert.ok(chosen.length <= sentences && chosen.length >= Math.min(sentences, 4));
    const mean = received.reduce((a, b) => a + b) / received.length;
    assert.ok(Math.abs(mean - 1) < 1e-5, `${mean}`);
  }
  const query = "captain harpoon night";
  const answers = summariser.embed(`${written(20)} Captain, the harpoon by night. ${written(20)}`);
  const { chosen } = summariser.summarise(answers, { sentences: 1, query });
  assert.match(answers.sentences[chosen[0]].text, /^Captain/);
  const talk = summariser.embed(
    "Ann: Yes.\nBob: The captain has a white boat and a harpoon.\nAnn: Yes.",
  );
  assert.deepEqual(summariser.summarise(talk, { sentences: 1 }).chosen, [1]);
  assert.deepEqual(summariser.summarise(summariser.embed(""), { sentences: 3 }).chosen, []);
  assert.deepEqual(summariser.summarise(summariser.embed("One."), { sentences: 3 }).chosen, [0]);
  const alike = alikeTo(answers, wordsOf(query), encoder.encode([query])[0]);
  assert.equal(alike.indexOf(Math.max(...alike)), chosen[0]);
  attention.dispose();
});

test("right sentences: those nearest to summaries, or to the rest of the text", () => {
  const sentences = sentencesOf("The cat sat. Dogs bark a lot. The cat sat on the mat. It rained.");
  assert.deepEqual(bestSentences(sentences, ["The cat sat on a mat."], 1), [2]);
  assert.deepEqual(
    bestSentences(sentences, ["It rained on the cat.", "The cat sat on the mat."], 2),
    [2, 3],
  );
  assert.deepEqual(bestSentences(sentences, ["Nothing at all"], 2), []);
  assert.deepEqual(gapSentences(sentences, 2).toSorted(), [0, 2]);
  assert.deepEqual(pairsOf('{"text":"a","summary":"b"}\n\n'), [
    { text: "a", summary: "b", summaries: ["b"] },
  ]);
  for (const line of ["x", "null", "[]", '{"text":1,"summary":"b"}', '{"text":"a","summaries":[]}'])
    assert.throws(() => pairsOf(`{"text":"a","summary":"b"}\n${line}`), /^Error: line 2: expected/);
});

test("pictures: attenders, the strip, the highlighted text", async () => {
  const looks = [[{ to: 1, weight: 0.5 }], [{ to: 0, weight: 0.9 }], [{ to: 1, weight: 0.7 }]];
  assert.deepEqual(attendersOf(1, looks), [
    { from: 2, weight: 0.7 },
    { from: 0, weight: 0.5 },
  ]);
  const plain = (line: string) => stripVTControlCharacters(line);
  assert.deepEqual(strip([0, 1, 0.5, 1], [3], 2).map(plain), ["██", " ▲"]);
  assert.equal(wrapped("one two three", 8, 0), "one two\nthree");
  const text = { sentences: sentencesOf("One is. Two is.\nThree is."), embeddings: [] };
  const shown = highlighted(text, { chosen: [1], received: [], looks: [] }, 40);
  assert.equal(plain(shown).replaceAll(/\[\[ | \]\]/gu, ""), "One is.\nTwo is.\n\nThree is.");
});

/** The mean over references of F of words in common: ROUGE-1 of one's own, which bench/applications has whole. */
function likeness(summary: string, references: readonly string[]): number {
  const counted = (text: string) => {
    const counts = new Map<string, number>();
    for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
    return counts;
  };
  const own = counted(summary);
  const size = (counts: Map<string, number>) => [...counts.values()].reduce((a, b) => a + b, 0);
  const each = references.map((reference) => {
    const other = counted(reference);
    let both = 0;
    for (const [word, count] of own) both += Math.min(count, other.get(word) ?? 0);
    return (2 * both) / Math.max(size(own) + size(other), 1);
  });
  return each.reduce((a, b) => a + b, 0) / each.length;
}

test("abstracts of papers: nearer to their summaries than first sentences are", async (t) => {
  const file = `${process.env.DATA_DIR}/summarisation/scitldr.jsonl`;
  if (!existsSync(file)) return t.skip("no summarisation in DATA_DIR");
  const attention = await createWhole();
  const summariser = new Summariser(
    attention,
    await SentenceEncoder.load(attention, readModelFile),
  );
  // Every fourth text of odd lines: none that anything was chosen by.
  const pairs = pairsOf(readFileSync(file, "utf8")).filter((_, i) => i % 8 === 1);
  let [own, first] = [0, 0];
  for (const { text, summaries } of pairs) {
    const read = summariser.embed(text);
    const [chosen] = summariser.summarise(read, { sentences: 1 }).chosen;
    own += likeness(read.sentences[chosen].text, summaries) / pairs.length;
    first += likeness(read.sentences[0].text, summaries) / pairs.length;
  }
  t.diagnostic(`${(100 * own).toFixed(2)}, first sentences ${(100 * first).toFixed(2)}`);
  assert.ok(own > 0.22 && own > first + 0.02, `${own}, ${first}`);
  attention.dispose();
});
