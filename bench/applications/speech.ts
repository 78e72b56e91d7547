// Speech: Moonshine tiny as examples/speech runs it, and the same weights through onnxruntime-web, on recordings
// with their transcripts (in DATA_DIR).

import { existsSync, readFileSync } from "node:fs";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { Listener, limitOf } from "../../examples/speech/listener";
import { read } from "../../examples/speech/packages/files";
import { readOnnx } from "../../examples/speech/packages/onnx";
import { textOf } from "../../examples/speech/packages/tokens";
import { readWav } from "../../examples/speech/packages/wav";
import { padded, RATE } from "../../examples/speech/sound";
import { median, type Run } from "./application";
import { type Hear, moonshine } from "./peers/moonshine";
import { tableOf } from "./peers/table";
import { wordErrors } from "./peers/words";

/** Points of word error rate over all sets that ours may be above the peer's. */
const SLACK = 1;

interface Recording {
  readonly sound: Float32Array;
  readonly said: string;
}

export const run: Run = async ({ turns }) => {
  const folder = process.env.DATA_DIR;
  const sets = ["speech", "speech-read"].filter((set) => existsSync(`${folder}/${set}`));
  if (sets.length === 0) {
    console.log("speech is left out: set DATA_DIR to a folder with speech and speech-read");
    return true;
  }
  const attention = await createAttention({ extensions: [blocks, cache, positions] });
  const files = { encoder: read("encoder"), decoder: read("decoder") };
  const listener = new Listener(attention, {
    encoder: readOnnx(files.encoder),
    decoder: readOnnx(files.decoder),
  });
  const ours: Hear = async (sound) => Array.from(listener.hear(sound), ({ id }) => id);
  // Ours puts silence around every sound; theirs is given the same.
  const hear = await moonshine(files.encoder, files.decoder);
  const theirs: Hear = (sound, limit) => hear(padded(sound), limit);
  const each: Measured[] = [];
  for (const set of sets) each.push(await measured(`${folder}/${set}`, [ours, theirs], turns));
  listener.dispose();
  attention.dispose();
  const all = each.reduce(together);
  console.log(`speech: one thread each, CPU time, medians of ${turns} in turns`);
  console.log(tableOf(HEAD, [...(each.length > 1 ? each : []), all].map(rowOf)));
  const [our, their] = all.wrong.map((errors) => (100 * errors) / all.words);
  console.log(
    `speech: word error rate ${our.toFixed(1)} %, onnxruntime-web's ${their.toFixed(1)} %: ${(our - their).toFixed(1)} points above, at most ${SLACK} allowed`,
  );
  return our - their <= SLACK;
};

interface Measured {
  readonly name: string;
  readonly recordings: number;
  readonly seconds: number;
  readonly words: number;
  /** Words that are wrong, of ours and the peer's. */
  readonly wrong: readonly [number, number];
  /** Milliseconds of both in each turn. */
  readonly times: readonly (readonly [number, number])[];
}

async function measured(
  folder: string,
  ways: readonly [Hear, Hear],
  turns: number,
): Promise<Measured> {
  const recordings = await recordingsOf(folder);
  const times: [number, number][] = [];
  const wrong: [number, number] = [0, 0];
  let words = 0;
  const [first] = recordings;
  for (const hear of ways) await hear(first.sound, limitOf(first.sound)); // warms up
  for (let turn = 0; turn < turns; turn++) {
    const spent: [number, number] = [0, 0];
    for (const { sound, said } of recordings) {
      for (const [way, hear] of ways.entries()) {
        const begin = clock();
        const ids = await hear(sound, limitOf(sound));
        spent[way] += clock() - begin;
        if (turn > 0) continue;
        const { errors, words: count } = wordErrors(textOf(ids), said);
        wrong[way] += errors;
        if (way === 0) words += count;
      }
    }
    times.push(spent);
  }
  const seconds = recordings.reduce((sum, { sound }) => sum + sound.length / RATE, 0);
  const name = folder.split("/").at(-1) as string;
  return { name, recordings: recordings.length, seconds, words, wrong, times };
}

function together(a: Measured, b: Measured): Measured {
  return {
    name: `${a.name} and ${b.name}`,
    recordings: a.recordings + b.recordings,
    seconds: a.seconds + b.seconds,
    words: a.words + b.words,
    wrong: [a.wrong[0] + b.wrong[0], a.wrong[1] + b.wrong[1]],
    times: a.times.map(([ours, theirs], turn) => [
      ours + b.times[turn][0],
      theirs + b.times[turn][1],
    ]),
  };
}

const HEAD = [
  "recordings",
  "word error rate",
  "onnxruntime-web's",
  "time",
  "onnxruntime-web's",
  "theirs ÷ ours",
];

function rowOf({ name, recordings, seconds, words, wrong, times }: Measured): string[] {
  const rate = (way: number) => `${((100 * wrong[way]) / words).toFixed(1)} % of ${words} words`;
  const time = (way: number) => {
    const spent = median(times.map((time) => time[way])) / 1000;
    return `${spent.toFixed(2)} s, ${(spent / seconds).toFixed(3)} of real time`;
  };
  const ratio = median(times.map(([ours, theirs]) => theirs / ours));
  const what = `${name}: ${recordings}, ${seconds.toFixed(0)} s`;
  return [what, rate(0), rate(1), time(0), time(1), `${ratio.toFixed(2)}×`];
}

/** Milliseconds of all threads of this process, whatever else the machine does. */
function clock(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function recordingsOf(folder: string): Promise<readonly Recording[]> {
  const lines = readFileSync(`${folder}/transcripts.jsonl`, "utf8").trim().split("\n");
  const all: { file: string; text: string }[] = lines.map((line) => JSON.parse(line));
  return Promise.all(
    all.map(async ({ file, text }) => ({
      sound: await readWav(readFileSync(`${folder}/${file}`)),
      said: text,
    })),
  );
}
