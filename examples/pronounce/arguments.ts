// What the command line asks for.

import { commandLine, orEnd, wholeNumber } from "../arguments";
import { SHOWN } from "./words";

export interface Arguments {
  /** Words that are said and drawn. */
  readonly shown: readonly string[];
  readonly steps: number;
  readonly seed: number;
}

const HELP = `npm run demo:pronounce [-- OPTIONS WORD…]

Trains three networks to say English words, which differ in how they look at the letters: additive attention,
location-sensitive attention, and that with weights by sparsemax, which are exactly 0 where it does not look.

  WORD         words of up to 40 letters from a to z to say and draw, instead of ${SHOWN.join(", ")}
  --steps N    steps of each training (default 250)
  --seed N     of weights, batches and the words that are held out (default 1)
  --help       this`;

export function readArguments(): Arguments {
  const { values, positionals } = commandLine({
    allowPositionals: true,
    options: {
      steps: { type: "string", default: "250" },
      seed: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const shown = orEnd(() => positionals.map(wordOf));
  return {
    shown: shown.length ? shown : SHOWN,
    steps: wholeNumber("steps", values.steps),
    seed: wholeNumber("seed", values.seed),
  };
}

function wordOf(text: string): string {
  if (/^[a-z]{1,40}$/iu.test(text)) return text.toLowerCase();
  throw new Error(`a word expected 1 to 40 letters from a to z, got ${JSON.stringify(text)}`);
}
