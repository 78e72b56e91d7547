// What the command line asks for.

import { readFileSync } from "node:fs";
import { commandLine, orEnd, wholeNumber } from "../arguments";
import { seeded } from "../training/random";
import { type Corpus, decoded, numbers, pairsOf } from "./corpus";

interface Arguments {
  readonly title: string;
  readonly corpus: Corpus;
  /** Texts whose translation is shown. */
  readonly shown: readonly string[];
  readonly steps: number;
  readonly seed: number;
  readonly fast: boolean;
}

export function readArguments(): Arguments {
  const { values } = commandLine({
    options: {
      /** Lines of source, tab, target. */
      pairs: { type: "string" },
      steps: { type: "string", default: "800" },
      seed: { type: "string", default: "1" },
      /** The best build instead of the reproducible one. */
      fast: { type: "boolean", default: false },
    },
  });
  const { pairs, fast } = values;
  const [steps, seed] = [wholeNumber("steps", values.steps), wholeNumber("seed", values.seed)];
  if (pairs === undefined) {
    const shown = [
      "twenty-one",
      "three hundred forty-five",
      "ninety-eight thousand seven hundred sixty-five",
    ];
    const corpus = numbers(seeded(seed));
    return { title: "English → German number words", corpus, shown, steps, seed, fast };
  }
  const corpus = orEnd(() => pairsOf(decoded(pairs, readFileSync(pairs)), seeded(seed)));
  const shown = corpus.heldOut.slice(0, 3).map(({ source }) => source);
  return { title: pairs, corpus, shown, steps, seed, fast };
}
