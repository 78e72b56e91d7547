// Two things measured turn by turn in one process (ours, theirs, ours, theirs …), so that what
// else the machine does falls on both. The ratio is the median over rounds of theirs ÷ ours.

export type Work = () => void | Promise<void>;

export interface Pair {
  readonly oursMs: number;
  readonly peerMs: number;
  readonly ratio: number;
  /** First and third quartile of the ratio. */
  readonly quartiles: readonly [number, number];
}

const ROUNDS = 15;
/** A sample repeats its work until it lasts this long. */
const SAMPLE_MS = 20;

async function sample(work: Work, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) {
    const pending = work();
    if (pending) await pending;
  }
  return (performance.now() - start) / repeats;
}

/** Warms up, and finds how often to repeat. */
async function repeatsFor(work: Work): Promise<number> {
  await sample(work, 1);
  const once = await sample(work, 2);
  if (once * 2 >= SAMPLE_MS) return 1;
  const warm = await sample(work, Math.ceil(SAMPLE_MS / 4 / once));
  return Math.max(1, Math.ceil(SAMPLE_MS / warm));
}

export async function paired(ours: Work, theirs: Work): Promise<Pair> {
  const repeats = [await repeatsFor(ours), await repeatsFor(theirs)];
  const rounds: { ours: number; theirs: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const our = await sample(ours, repeats[0]);
    rounds.push({ ours: our, theirs: await sample(theirs, repeats[1]) });
  }
  const ratios = rounds.map((round) => round.theirs / round.ours);
  return {
    oursMs: quantile(rounds.map((round) => round.ours)),
    peerMs: quantile(rounds.map((round) => round.theirs)),
    ratio: quantile(ratios),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  };
}

/** The middle one by default. */
export function quantile(values: readonly number[], share = 0.5): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * share)];
}
