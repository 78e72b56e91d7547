// What the command line asks for.

import { commandLine, orEnd, wholeNumber } from "../arguments";

const HELP = `npm run demo:speech [-- FILE.wav --threads N]

Writes down what is said in a wav file of any sample rate, and shows where in the sound each word looked.
Without a file: a sentence of President Kennedy's that comes with a package.

  --threads N   threads to share the work among, 1 by default
  --help        this text`;

export function readArguments(): { readonly file: string | undefined; readonly threads: number } {
  const { values, positionals } = commandLine({
    allowPositionals: true,
    options: {
      threads: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  orEnd(() => {
    if (positionals.length > 1) throw new Error(`one file at a time, got ${positionals.length}`);
  });
  return { file: positionals[0], threads: wholeNumber("threads", values.threads) };
}
