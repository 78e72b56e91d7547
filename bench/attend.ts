// attend beside other libraries, from Float32Arrays to a Float32Array as most call it.

import { type Attention, tensor } from "wasm-attention";
import { paired } from "./paired";
import type { Case, Peer } from "./peers/peer";
import type { Row } from "./rows";

export const cases: readonly Case[] = [
  { heads: 12, n: 128, d: 64, causal: false },
  { heads: 12, n: 512, d: 64, causal: false },
  { heads: 12, n: 1024, d: 64, causal: false },
  { heads: 12, n: 1024, d: 64, causal: true },
  { heads: 8, n: 16, d: 8, causal: false },
];

/** A peer that needs longer is left out of a case. */
const MOST_MS = 3000;

function random(length: number): Float32Array {
  let state = length;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Each chosen case against every peer; `report` is told of each as it comes. */
export async function benchAttend(
  attention: Attention,
  peers: readonly Peer[],
  chosen: readonly Case[],
  report: (row: Row) => void,
): Promise<void> {
  for (const c of chosen) {
    const { heads, n, d, causal } = c;
    const [query, key, value] = [0, 1, 2].map((i) => random(heads * n * d + i).subarray(i));
    const dims = [1, heads, n, d];
    const [q, k, v] = [query, key, value].map((data) => tensor(data, dims));
    let output = new Float32Array(0) as Float32Array;
    const ours = () => {
      output = attention.attend(q, k, v, { causal }).output.data;
    };
    for (const peer of peers) {
      const run = await peer.prepare(c, query, key, value);
      try {
        const start = performance.now();
        await run.run();
        const first = performance.now() - start;
        ours();
        compare(peer.name, c, output, run.output());
        const facts = {
          op: "attend",
          build: attention.variant,
          threads: 1,
          ...c,
          peer: peer.name,
        };
        if (first > MOST_MS)
          report({ ...facts, leftOut: `its first run took ${first.toFixed(0)} ms` });
        else report({ ...facts, ...(await paired(ours, () => run.run())) });
      } finally {
        run.dispose();
      }
    }
  }
}

/** A comparison of speed is one of the same result. */
function compare(name: string, c: Case, ours: Float32Array, theirs: Float32Array): void {
  let worst = ours.length === theirs.length ? 0 : Infinity;
  for (let i = 0; i < ours.length; i++) worst = Math.max(worst, Math.abs(ours[i] - theirs[i]));
  if (!(worst < 1e-4)) throw new Error(`${name} differs by ${worst} at ${JSON.stringify(c)}`);
}
