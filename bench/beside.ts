// One case of ours beside every peer that can do it, each compared by its numbers first.

import { alone, type Ceiling, paired, type Work } from "./paired";
import { LeftOut, type Run } from "./peers/peer";
import type { Facts, Report } from "./rows";

export interface Ours {
  readonly facts: Omit<Facts, "peer">;
  readonly run: Work;
  readonly output: () => Float32Array;
  readonly ceiling?: Ceiling;
  readonly operations: number;
}

export interface Contender {
  readonly name: string;
  /** Undefined where the peer has no such operator. */
  readonly prepare: (() => Promise<Run>) | undefined;
}

/** A peer that needs longer for its first run is left out of this case and of larger ones. */
const MOST_MS = 3000;
/** Operations, by op and peer, of the least case that took longer. */
const slow = new Map<string, number>();

export async function beside(
  ours: Ours,
  contenders: readonly Contender[],
  report: Report,
): Promise<void> {
  let pairs = 0;
  for (const { name, prepare } of contenders) {
    if (!prepare) continue;
    const facts = { ...ours.facts, peer: name };
    const key = `${facts.op} ${name}`;
    if (ours.operations >= (slow.get(key) ?? Number.POSITIVE_INFINITY)) {
      report({ ...facts, leftOut: "a case not larger took longer than 3 s" });
      continue;
    }
    let theirs: Run | undefined;
    try {
      theirs = await prepare();
      const start = performance.now();
      await theirs.run();
      const first = performance.now() - start;
      ours.run();
      compare(facts, ours.output(), theirs.output());
      if (first > MOST_MS) {
        slow.set(key, ours.operations);
        report({ ...facts, leftOut: `its first run took ${first.toFixed(0)} ms` });
        continue;
      }
      const { run } = theirs;
      report({ ...facts, ...(await paired(ours.run, () => run(), ours.ceiling)) });
      pairs++;
    } catch (error) {
      if (error instanceof Mismatch) throw error;
      const why = error instanceof LeftOut ? error.message : `it fails: ${String(error)}`;
      report({ ...facts, leftOut: why.slice(0, 60) });
    } finally {
      theirs?.dispose();
    }
  }
  if (!pairs) report({ ...ours.facts, peer: "", ...(await alone(ours.run, ours.ceiling)) });
}

class Mismatch extends Error {}

/** A comparison of speed is one of the same result. */
export function compare(facts: Facts, ours: Float32Array, theirs: Float32Array): void {
  let worst = ours.length === theirs.length ? 0 : Infinity;
  for (let i = 0; i < ours.length; i++) worst = Math.max(worst, Math.abs(ours[i] - theirs[i]));
  if (!(worst < 1e-4)) throw new Mismatch(`differs by ${worst}: ${JSON.stringify(facts)}`);
}
