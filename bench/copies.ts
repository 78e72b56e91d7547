// Two threads against two independent copies, the most that two cores can do.
//
//   A  two workers, an engine of one thread in each, both begin a call: until both have ended
//   B  one engine with two threads, two calls one after the other
//
// The ratio is A ÷ B, in paired rounds: 1 where sharing a call costs nothing.

import { Worker } from "node:worker_threads";
import type { Attention } from "wasm-attention";
import { random } from "./cases";
import { quantile, ratioOf } from "./paired";
import type { Case } from "./peers/peer";
import type { Report } from "./rows";

export interface Copy extends Case {
  readonly build: string;
  /** Int32s: how often both were told to begin, who has arrived there, who has ended. */
  readonly shared: SharedArrayBuffer;
  /** Milliseconds at which each began and ended its last call. */
  readonly clock: SharedArrayBuffer;
  readonly index: number;
}

export const [BEGIN, ARRIVED, ENDED] = [0, 1, 2];
const MOST_MS = 2000;
const LEAST_ROUNDS = 5;
const MOST_ROUNDS = 101;

/** A clock that all threads share. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;

export async function benchCopies(attention: Attention, c: Case, report: Report): Promise<void> {
  const { heads, n, d, causal } = c;
  const { variant: build, threads } = attention;
  const shared = new SharedArrayBuffer(12);
  const clock = new SharedArrayBuffer(32);
  const [state, times] = [new Int32Array(shared), new Float64Array(clock)];
  const workers = [0, 1].map((index) => {
    const workerData: Copy = { ...c, build, shared, clock, index };
    return new Worker(new URL("copy.mjs", import.meta.url), { workerData });
  });
  const dims = [1, heads, n, d];
  const tensors = [0, 1, 2, 3].map(() => attention.allocate(dims));
  for (const made of tensors) made.data.set(random(heads * n * d));
  const [q, k, v, out] = tensors;
  try {
    await Promise.all(
      workers.map((worker) => {
        return new Promise((ready, fail) => worker.once("message", ready).once("error", fail));
      }),
    );
    const copies = () => {
      Atomics.store(state, ARRIVED, 0);
      Atomics.store(state, ENDED, 0);
      Atomics.add(state, BEGIN, 1);
      Atomics.notify(state, BEGIN);
      for (let ended = 0; ended < 2; ended = Atomics.load(state, ENDED)) {
        if (Atomics.wait(state, ENDED, ended, 60_000) === "timed-out")
          throw new Error("a copy does not answer");
      }
      return Math.max(times[1], times[3]) - Math.min(times[0], times[2]);
    };
    const shares = () => {
      attention.attend(q, k, v, { causal, out }); // the pool is awake, as the copies are
      const start = now();
      attention.attend(q, k, v, { causal, out });
      attention.attend(q, k, v, { causal, out });
      return now() - start;
    };
    copies();
    shares();
    const rounds = [];
    const until = now() + MOST_MS;
    while (rounds.length < LEAST_ROUNDS || (rounds.length < MOST_ROUNDS && now() < until)) {
      rounds.push({ theirs: copies(), ours: shares() });
    }
    const pair = ratioOf(rounds.map(({ ours, theirs }) => theirs / ours));
    report({
      ...{ op: "threads", build, threads, ...c, place: "allocated", peer: "two copies" },
      oursMs: quantile(rounds.map(({ ours }) => ours)),
      peerMs: quantile(rounds.map(({ theirs }) => theirs)),
      ...pair,
      share: pair.ratio,
    });
  } finally {
    for (const made of tensors) made.dispose();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
