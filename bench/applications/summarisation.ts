// Summaries beside those of npm's summarisers: ROUGE on DATA_DIR's sets.
//
// Every method gives as many sentences as the references have on average. The summariser's constants were chosen,
// and its pointer is trained here, on the texts of even lines; figures are of those of odd lines. Each peer is given
// lines as lines or as one text, whichever does better on the even ones.

import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { positions } from "wasm-attention/positions";
import { training } from "wasm-attention/training";
import { SentenceEncoder } from "../../examples/semantic-search/encoder";
import { readModelFile } from "../../examples/semantic-search/files";
import { train } from "../../examples/summarise/course";
import { lessonsOfPairs } from "../../examples/summarise/lessons";
import { type Pair, pairsOf } from "../../examples/summarise/pairs";
import { Pointer } from "../../examples/summarise/pointer";
import { Summariser } from "../../examples/summarise/summarise";
import { sentencesOf } from "../../examples/summarise/text";
import { seeded, shuffle } from "../../examples/training/random";
import type { Run } from "./application";
import { DRAWING, PEERS, Peers, type Summaries, tableOf } from "./summarisers/peers";
import { checkCases, METRICS, rouge, wordsOf } from "./summarisers/rouge";

const SETS = { opinosis: 2, scitldr: 1, qmsum: 3 } as const;
/** Draws of random sentences that are averaged, and summaries of peers that draw lots. */
const DRAWS = 20;
const PEER_DRAWS = 10;
const PASSES = 5;
const BATCH = 8;
const RATE = 3e-4;
/** A set counts as not lost where the best is no farther above. */
const NEAR = 0.5;

type Set = keyof typeof SETS;

interface Row {
  readonly name: string;
  readonly own: boolean;
  /** F in percent, the mean over the references, and that of the best reference. */
  readonly mean: readonly number[];
  readonly best: readonly number[];
  readonly words: number;
  readonly milliseconds: number;
}

const folder = `${process.env.DATA_DIR}/summarisation`;

/** Above all peers on two sets of three, and nowhere much below the best of them. */
export const run: Run = async () => {
  if (!existsSync(`${folder}/opinosis.jsonl`)) {
    console.log("summarisation is left out: set DATA_DIR to a folder with summarisation");
    return true;
  }
  const { cases, wrong } = checkCases(
    JSON.parse(readFileSync(`${folder}/rouge-cases.json`, "utf8")),
  );
  if (wrong.length > 0) throw new Error(`ROUGE: ${JSON.stringify(wrong)}`);
  const attention = await createAttention({
    threads: "auto",
    extensions: [blocks, positions, training],
  });
  const encoder = await SentenceEncoder.load(attention, readModelFile);
  const summariser = new Summariser(attention, encoder);
  const sets = Object.keys(SETS) as Set[];
  const parts = new Map(sets.map((set) => [set, halves(readPairs(set))]));

  const random = seeded(1);
  const pointer = new Pointer(attention, random);
  const pairs = sets.flatMap((set) => parts.get(set)?.even ?? []);
  console.error(`reading ${pairs.length} texts to train on`);
  const lessons = [...lessonsOfPairs(summariser, pairs)];
  const course = { steps: Math.ceil((lessons.length * PASSES) / BATCH), batch: BATCH, rate: RATE };
  const losses = [...train(attention, pointer, lessons, course, random)];
  console.log(
    `${cpus()[0].model}, Node ${process.versions.node}, threads: ${attention.threads}. ROUGE as in ${cases} published cases. The pointer is trained on ${lessons.length} texts of even lines, in ${losses.length} steps.`,
  );

  const peers = new Peers();
  let [won, lost] = [0, 0];
  for (const set of sets) {
    const { even, odd } = parts.get(set) as Halves;
    const sentences = SETS[set];
    console.error(`reading ${odd.length} texts of ${set}`);
    const summaries = (name: (typeof PEERS)[number], pairs: readonly Pair[], line: string) =>
      peers.summarise(
        name,
        (pairs as readonly (Pair & { title?: string })[]).map(({ text, title = "" }) => ({
          title,
          text: text.replaceAll("\n", line),
          sentences,
        })),
      );
    const rows = [
      ...ownRows(summariser, pointer, odd, sentences),
      row("first sentences", odd, (pair) => firstSentences(pair, sentences)),
      randomRow(odd, sentences),
    ];
    for (const name of PEERS) {
      rows.push(await peerRow(name, even, odd, (pairs, line) => summaries(name, pairs, line)));
    }
    console.log(
      `\n${set}: ${odd.length} texts, ${sentences} sentences each, against ${references(odd)}`,
    );
    console.log(tableOf(HEAD, rows.map(shown)));
    const behind = distances(rows);
    console.log(said(set, behind));
    if (Math.max(...behind) < 0) won++;
    if (Math.max(...behind) > NEAR) lost++;
  }
  console.log(
    `\nThe summariser is above all peers in all three measures on ${won} of ${sets.length} sets, and more than ${NEAR} below the best in one of them on ${lost}.`,
  );
  await peers.end();
  attention.dispose();
  return won >= 2 && lost === 0;
};

type Halves = { readonly even: readonly Pair[]; readonly odd: readonly Pair[] };

const readPairs = (set: Set) => pairsOf(readFileSync(`${folder}/${set}.jsonl`, "utf8"));

const halves = (pairs: readonly Pair[]): Halves => ({
  even: pairs.filter((_, i) => i % 2 === 0),
  odd: pairs.filter((_, i) => i % 2 === 1),
});

function ownRows(summariser: Summariser, pointer: Pointer, pairs: readonly Pair[], count: number) {
  const begin = performance.now();
  const read = new Map(pairs.map((pair) => [pair, summariser.embed(pair.text)]));
  const embedding = (performance.now() - begin) / pairs.length;
  const chosenBy = (name: string, choose: (pair: Pair) => readonly number[]) => {
    const made = row(name, pairs, (pair) =>
      choose(pair)
        .map((i) => read.get(pair)?.sentences[i].text)
        .join(" "),
    );
    return { ...made, own: true, milliseconds: made.milliseconds + embedding };
  };
  const embedded = (pair: Pair) => read.get(pair) as ReturnType<Summariser["embed"]>;
  return [
    chosenBy(
      "examples/summarise",
      (pair) =>
        summariser.summarise(embedded(pair), { sentences: count, query: pair.query }).chosen,
    ),
    chosenBy("examples/summarise, trained", (pair) => {
      const text = embedded(pair);
      return pointer.point(summariser.look(text, pair.query), text, count).chosen;
    }),
  ];
}

const firstSentences = ({ text }: Pair, count: number) =>
  sentencesOf(text)
    .slice(0, count)
    .map(({ text }) => text)
    .join(" ");

function randomRow(pairs: readonly Pair[], count: number): Row {
  const random = seeded(1);
  const draws = Array.from({ length: DRAWS }, () =>
    row("random sentences", pairs, ({ text }) => {
      const all = sentencesOf(text);
      const drawn = shuffle([...all.keys()], random).slice(0, count);
      return drawn
        .sort((a, b) => a - b)
        .map((i) => all[i].text)
        .join(" ");
    }),
  );
  return averageOf(draws);
}

function averageOf(draws: readonly Row[]): Row {
  const mean = (of: (each: Row) => number) =>
    draws.reduce((sum, each) => sum + of(each), 0) / draws.length;
  return {
    ...draws[0],
    mean: METRICS.map((_, k) => mean((each) => each.mean[k])),
    best: METRICS.map((_, k) => mean((each) => each.best[k])),
    words: mean(({ words }) => words),
    milliseconds: mean(({ milliseconds }) => milliseconds),
  };
}

async function peerRow(
  name: string,
  even: readonly Pair[],
  odd: readonly Pair[],
  ask: (pairs: readonly Pair[], line: string) => Promise<Summaries>,
): Promise<Row> {
  const under = async (pairs: readonly Pair[], line: string) => {
    const draws: Row[] = [];
    for (let draw = 0; draw < (DRAWING.has(name) ? PEER_DRAWS : 1); draw++) {
      const { summaries, milliseconds } = await ask(pairs, line);
      const made = row(name, pairs, (_, i) => summaries[i]);
      draws.push({ ...made, milliseconds: milliseconds / pairs.length });
    }
    return averageOf(draws);
  };
  const total = ({ mean }: Row) => mean.reduce((a, b) => a + b, 0);
  const [lines, one] = [await under(even, "\n"), await under(even, " ")];
  return under(odd, total(lines) >= total(one) ? "\n" : " ");
}

function row(
  name: string,
  pairs: readonly Pair[],
  summarise: (pair: Pair, i: number) => string,
): Row {
  const begin = performance.now();
  const summaries = pairs.map(summarise);
  const milliseconds = (performance.now() - begin) / pairs.length;
  const scores = summaries.map((summary, i) =>
    pairs[i].summaries.map((reference) =>
      METRICS.map((metric) => 100 * rouge(metric, summary, reference)),
    ),
  );
  const over = (of: (each: number[][], k: number) => number) =>
    METRICS.map((_, k) => scores.reduce((sum, each) => sum + of(each, k), 0) / pairs.length);
  return {
    name,
    own: false,
    mean: over((each, k) => each.reduce((sum, score) => sum + score[k], 0) / each.length),
    best: over((each, k) => Math.max(...each.map((score) => score[k]))),
    words: summaries.reduce((sum, summary) => sum + wordsOf(summary), 0) / pairs.length,
    milliseconds,
  };
}

const HEAD = ["", "R-1", "R-2", "R-L", "best R-1", "R-2", "R-L", "words", "ms a text"];

const shown = ({ name, mean, best, words, milliseconds }: Row) => [
  name,
  ...[...mean, ...best].map((score) => score.toFixed(2)),
  words.toFixed(0),
  milliseconds < 1 ? "< 1" : milliseconds.toFixed(0),
];

/** How far the best of the others is above the summariser without training, in each measure. */
const distances = ([own, ...rows]: readonly Row[]) =>
  METRICS.map((_, k) => {
    const others = rows.filter((each) => !each.own).map(({ mean }) => mean[k]);
    return Math.max(...others) - own.mean[k];
  });

function said(set: Set, behind: readonly number[]): string {
  const each = behind.map((by) => `${Math.abs(by).toFixed(2)} ${by < 0 ? "above" : "below"}`);
  return `${set}: the summariser is ${each.join(", ")} the best of the others in R-1, R-2, R-L.`;
}

function references(pairs: readonly Pair[]): string {
  const all = pairs.flatMap(({ summaries }) => summaries);
  const words = all.reduce((sum, summary) => sum + wordsOf(summary), 0) / all.length;
  return `${(all.length / pairs.length).toFixed(1)} references of ${words.toFixed(0)} words`;
}
