// Cold start: medians over fresh processes, ours and onnxruntime-web's turn by turn.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Pair, quantile } from "./paired";

const PROCESSES = 20;

function milliseconds(script: string): number {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return Number(execFileSync(process.execPath, [path], { encoding: "utf8" }).trim());
}

/** Milliseconds from `import()` to the first [1, 8, 16, 8] output. */
export function coldStart(): Pair {
  const rounds = Array.from({ length: PROCESSES }, () => ({
    ours: milliseconds("coldstart.mjs"),
    theirs: milliseconds("peers/coldstart.mjs"),
  }));
  const ratios = rounds.map(({ ours, theirs }) => theirs / ours);
  return {
    oursMs: quantile(rounds.map(({ ours }) => ours)),
    peerMs: quantile(rounds.map(({ theirs }) => theirs)),
    ratio: quantile(ratios),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  };
}
