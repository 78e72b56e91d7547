// What the command line asks for.

import { readFileSync } from "node:fs";
import { commandLine, orEnd, wholeNumber } from "../arguments";
import { seeded } from "../training/random";
import { type Corpus, decoded, numbers, pairsOf } from "../translation/corpus";

export interface Arguments {
  readonly title: string;
  readonly corpus: Corpus;
  /** Texts whose translation is shown. */
  readonly shown: readonly string[];
  readonly steps: number;
  readonly seed: number;
}

const HELP = `npm run demo:seq2seq [-- OPTIONS]
npm run demo:seq2seq:tfjs [-- OPTIONS]

Trains a recurrent translator with additive attention, beside a transformer; with :tfjs inside TensorFlow.js.

  --steps N      steps of each training (default 300)
  --seed N       of weights and batches (default 1)
  --pairs FILE   lines of source, tab, target, instead of English and German number words
  --help         this`;

export function readArguments(): Arguments {
  const { values } = commandLine({
    options: {
      steps: { type: "string", default: "300" },
      seed: { type: "string", default: "1" },
      pairs: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const { pairs } = values;
  const [steps, seed] = [wholeNumber("steps", values.steps), wholeNumber("seed", values.seed)];
  if (pairs === undefined) {
    const shown = ["twenty-one", "ninety-eight thousand seven hundred sixty-five"];
    const corpus = numbers(seeded(seed));
    return { title: "English → German number words", corpus, shown, steps, seed };
  }
  const corpus = orEnd(() => pairsOf(decoded(pairs, readFileSync(pairs)), seeded(seed)));
  const shown = corpus.heldOut.slice(0, 2).map(({ source }) => source);
  return { title: pairs, corpus, shown, steps, seed };
}
