// attend beside other libraries, from Float32Arrays to a Float32Array as most call it.

import { type AllocatedTensor, type Attention, tensor } from "wasm-attention";
import { paired } from "./paired";
import { type Case, keyValueHeadsOf, LeftOut, type Peer, queriesOf, type Run } from "./peers/peer";
import type { Roofline } from "./roofline/index";
import type { Row } from "./rows";

const plain = (heads: number, n: number, d: number): Case => ({ heads, n, d, causal: false });

export const cases: readonly Case[] = [
  ...[128, 512, 1024, 2048, 4096, 8192].flatMap((n) => [
    plain(12, n, 64),
    { ...plain(12, n, 64), causal: true },
  ]),
  plain(32, 1024, 128),
  { heads: 32, keyValueHeads: 8, n: 1024, d: 128, causal: true },
  plain(8, 16, 8),
];

/** One query over a cache: the tensors stay where they are between calls. */
export const decoding: readonly Case[] = [
  { ...plain(12, 1024, 64), queries: 1 },
  { ...plain(12, 16384, 64), queries: 1 },
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

/** Where our tensors lie: Float32Arrays of the caller's, or linear memory. */
export type Place = "Float32Arrays" | "allocated";

/** Each chosen case against every peer; `report` is told of each as it comes. */
export async function benchAttend(
  attention: Attention,
  roof: Roofline,
  peers: readonly Peer[],
  chosen: readonly Case[],
  place: Place,
  report: (row: Row) => void,
): Promise<void> {
  const tooSlow = new Set<Peer>();
  for (const c of chosen) {
    const { heads, n, d, causal } = c;
    const [rows, few] = [queriesOf(c), keyValueHeadsOf(c)];
    const sizes = [heads * rows * d, few * n * d, few * n * d];
    const [query, key, value] = sizes.map((size, i) => random(size + i).subarray(i));
    const dims = [
      [1, heads, rows, d],
      [1, few, n, d],
      [1, few, n, d],
    ];
    const allocated: AllocatedTensor[] = [];
    const allocate = (size: number[], data?: Float32Array) => {
      const made = attention.allocate(size);
      if (data) made.data.set(data);
      allocated.push(made);
      return made;
    };
    const inPlace = place === "allocated";
    const [q, k, v] = [query, key, value].map((data, i) =>
      inPlace ? allocate(dims[i], data) : tensor(data, dims[i]),
    );
    const out = inPlace ? allocate(dims[0]) : undefined;
    let output = new Float32Array(0) as Float32Array;
    const ours = () => {
      output = attention.attend(q, k, v, { causal, out }).output.data;
    };
    for (const peer of peers) {
      const op = rows === 1 ? "decode" : "attend";
      const facts = { op, build: attention.variant, threads: 1, ...c, place, peer: peer.name };
      if (tooSlow.has(peer)) {
        report({ ...facts, leftOut: "a smaller case took longer than 3 s" });
        continue;
      }
      let run: Run | undefined;
      try {
        run = await peer.prepare(c, query, key, value);
        const start = performance.now();
        await run.run();
        const first = performance.now() - start;
        ours();
        compare(peer.name, c, output, run.output());
        if (first > MOST_MS) {
          tooSlow.add(peer);
          report({ ...facts, leftOut: `its first run took ${first.toFixed(0)} ms` });
          continue;
        }
        const { run: theirs } = run;
        const pair = await paired(ours, () => theirs());
        report({ ...facts, ...pair, share: idealMs(c, roof) / pair.oursMs });
      } catch (error) {
        if (error instanceof Mismatch) throw error;
        const why = error instanceof LeftOut ? error.message : `it fails: ${String(error)}`;
        report({ ...facts, leftOut: why.slice(0, 60) });
      } finally {
        run?.dispose();
      }
    }
    for (const made of allocated) made.dispose();
  }
}

/** Milliseconds at the rates of the roofline: of memory for one query, of tiles and e^x else. */
function idealMs(c: Case, roof: Roofline): number {
  const { heads, n, d, causal } = c;
  const rows = queriesOf(c);
  if (rows === 1) return ((2 * keyValueHeadsOf(c) * n * d * 4) / roof.bandwidth) * 1000;
  const scores = heads * (causal ? (n * (n + 1)) / 2 : rows * n);
  return ((4 * scores * d) / roof.tileRate(d) + scores / roof.exponentials) * 1000;
}

class Mismatch extends Error {}

/** A comparison of speed is one of the same result. */
function compare(name: string, c: Case, ours: Float32Array, theirs: Float32Array): void {
  let worst = ours.length === theirs.length ? 0 : Infinity;
  for (let i = 0; i < ours.length; i++) worst = Math.max(worst, Math.abs(ours[i] - theirs[i]));
  if (!(worst < 1e-4)) throw new Mismatch(`${name} differs by ${worst} at ${JSON.stringify(c)}`);
}
