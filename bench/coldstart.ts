// Cold start: medians over fresh processes, ours and a peer's turn by turn.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Pair, quantile, ratioOf } from "./paired";

export const starts = {
  "onnxruntime-web": "peers/coldstart.mjs",
  "tfjs-backend-wasm": "peers/coldstart-tfjs.mjs",
} as const;

function milliseconds(script: string): number {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return Number(execFileSync(process.execPath, [path], { encoding: "utf8" }).trim());
}

/** Milliseconds from `import()` to the first [1, 8, 16, 8] output. */
export function coldStart(peer: keyof typeof starts, processes: number): Pair {
  const rounds = Array.from({ length: processes }, () => ({
    ours: milliseconds("coldstart.mjs"),
    theirs: milliseconds(starts[peer]),
  }));
  return {
    oursMs: quantile(rounds.map(({ ours }) => ours)),
    peerMs: quantile(rounds.map(({ theirs }) => theirs)),
    ...ratioOf(rounds.map(({ ours, theirs }) => theirs / ours)),
  };
}
