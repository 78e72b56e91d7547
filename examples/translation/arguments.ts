// What the command line asks for; what cannot be done ends the process with one line.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { seeded } from "../training/random";
import { numbers, pairsOf } from "./corpus";

function parse() {
  const { values } = parseArgs({
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
  const [steps, seed] = [Number(values.steps), Number(values.seed)];
  if (!(Number.isInteger(steps) && steps > 0 && Number.isInteger(seed) && seed > 0)) {
    throw new Error("--steps and --seed are whole numbers from 1");
  }
  if (pairs === undefined) {
    const shown = [
      "twenty-one",
      "three hundred forty-five",
      "ninety-eight thousand seven hundred sixty-five",
    ];
    const corpus = numbers(seeded(seed));
    return { title: "English → German number words", corpus, shown, steps, seed, fast };
  }
  const corpus = pairsOf(readFileSync(pairs, "utf8"), seeded(seed));
  const shown = corpus.heldOut.slice(0, 3).map(({ source }) => source);
  return { title: pairs, corpus, shown, steps, seed, fast };
}

export function readArguments(): ReturnType<typeof parse> {
  try {
    return parse();
  } catch (error) {
    console.error((error as Error).message);
    process.exit(2);
  }
}
