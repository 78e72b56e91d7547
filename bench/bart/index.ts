// A BART by blocks beside the same by hand: the encoder's pass, and a text that is written after it. Turn by turn
// in one process; one thread's by its CPU time, since a turn lasts seconds, in which a busy machine does much else.

import type { Attention, Tensor } from "wasm-attention";
import { compare } from "../beside";
import { quantile, ratioOf } from "../paired";
import type { Gelu } from "../peers/gelu";
import type { Report } from "../rows";
import { bartByBlocks } from "./by-blocks";
import { bartByHand } from "./by-hand";
import { type Bart, write } from "./generate";
import { type BartCase, weightsOf } from "./weights";

/** One of half BART base's width, and BART base: a text, and its summary. */
export const bartCases: readonly BartCase[] = [6, 12].map((heads) => ({
  ...{ n: 256, written: 32, heads, d: 64, hidden: 256 * heads, layers: 6 },
  vocabulary: 50265,
}));

interface Ran {
  readonly memory: Tensor;
  /** Of the last token. */
  readonly logits: Float32Array;
  /** Milliseconds of the encoder, of the decoder, and of both. */
  readonly times: readonly [number, number, number];
}

const OPS = ["bart encoder", "bart decoder", "bart"] as const;

/** `rounds`: so many turns. */
export async function benchBart(
  attention: Attention<"blocks" | "cache">,
  c: BartCase,
  gelus: Readonly<Record<string, Gelu>>,
  { rounds, report }: { readonly rounds: number; readonly report: Report },
): Promise<void> {
  const weights = weightsOf(attention, c);
  const ours = bartByBlocks(attention, c, weights);
  const names = Object.keys(gelus);
  const ways = [ours, ...names.map((name) => bartByHand(attention, c, weights, gelus[name]))];
  const ids = Array.from({ length: c.n }, (_, i) => (i * 7919) % c.vocabulary);
  const { n, heads, d, hidden } = c;
  const { variant: build, threads } = attention;
  const facts = { build, threads, n, heads, d, hidden, causal: false, place: "Float32Arrays" };

  const clock = threads === 1 ? processClock : () => performance.now();
  const run = (way: Bart) => timed(way, ids, c.written, clock);
  const [first, ...others] = ways.map(run);
  others.forEach(({ memory, logits }, i) => {
    const named = { ...facts, op: "bart", peer: names[i] };
    compare(named, first.memory.data, memory.data);
    compare(named, first.logits, logits);
  });
  const turns = Array.from({ length: rounds }, () => ways.map((way) => run(way).times));
  OPS.forEach((op, which) => {
    names.forEach((peer, way) => {
      const pairs = turns.map((times) => [times[0][which], times[way + 1][which]] as const);
      report({
        ...facts,
        op,
        peer,
        oursMs: quantile(pairs.map(([own]) => own)),
        peerMs: quantile(pairs.map(([, other]) => other)),
        ...ratioOf(pairs.map(([own, other]) => other / own)),
      });
    });
  });
  for (const way of ways) way.dispose();
  weights.dispose();
}

function timed(bart: Bart, ids: readonly number[], written: number, clock: () => number): Ran {
  const begin = clock();
  const memory = bart.encode(ids);
  const encoded = clock();
  const logits = write(bart, memory, written);
  const end = clock();
  return { memory, logits, times: [encoded - begin, end - encoded, end - begin] };
}

/** Milliseconds of all threads of this process. */
function processClock(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
