// What the command line asks for.

import { commandLine, number, wholeNumber } from "../arguments";
import type { Sampling } from "./sampling";

interface Arguments {
  readonly beginning: string;
  readonly length: number;
  readonly beams: number;
  readonly sampling: Sampling;
  readonly seed: number;
  readonly reproducible: boolean;
  readonly int8: boolean;
}

export function readArguments(): Arguments {
  const { values, positionals } = commandLine({
    allowPositionals: true,
    options: {
      /** Pieces to write. */
      length: { type: "string", default: "200" },
      /** So many texts side by side, of which the likeliest is kept; nothing is drawn at random. */
      beams: { type: "string", default: "1" },
      seed: { type: "string", default: "1" },
      /** 0 is greedy. */
      temperature: { type: "string", default: "0.7" },
      "top-k": { type: "string" },
      "top-p": { type: "string" },
      "min-p": { type: "string", default: "0.1" },
      "repetition-penalty": { type: "string", default: "1" },
      /** The build that gives the same bits on every engine. */
      reproducible: { type: "boolean", default: false },
      /** Keys and values in a quarter of the memory. */
      int8: { type: "boolean", default: false },
    },
  });
  const share = { from: 0, to: 1 };
  const topK = values["top-k"];
  const topP = values["top-p"];
  return {
    beginning: positionals.join(" ") || "Call me Ishmael. Some years ago",
    length: wholeNumber("length", values.length),
    beams: wholeNumber("beams", values.beams),
    seed: wholeNumber("seed", values.seed),
    reproducible: values.reproducible,
    int8: values.int8,
    sampling: {
      temperature: number("temperature", values.temperature, { from: 0, to: 100 }),
      topK: topK === undefined ? topK : wholeNumber("top-k", topK),
      topP: topP === undefined ? topP : number("top-p", topP, share),
      minP: number("min-p", values["min-p"], share),
      repetitionPenalty: number("repetition-penalty", values["repetition-penalty"], {
        from: 1,
        to: 100,
      }),
    },
  };
}
