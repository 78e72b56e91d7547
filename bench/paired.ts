// Things measured turn by turn in one process (ours, theirs, the roofline, ours, theirs …), so that
// what else the machine does falls on all. Ratios are medians over rounds, never of medians.

export type Work = () => void | Promise<void>;

export interface Timing {
  readonly oursMs: number;
  /** The roofline's time for the same work ÷ ours. */
  readonly share?: number;
}

export interface Pair extends Timing {
  readonly peerMs: number;
  /** Theirs ÷ ours. */
  readonly ratio: number;
  /** First and third quartile of the ratio. */
  readonly quartiles: readonly [number, number];
}

/** Milliseconds of a case at the rates the machine shows now. */
export type Ceiling = () => number;

/** What the rounds of a case may take, if there are enough of them. */
let budget = 1200;
const MOST_ROUNDS = 15;
const LEAST_ROUNDS = 5;
/** Rounds that take longer than this are three. */
const LONG_ROUND_MS = 1500;
/** A first run that long tells enough. */
const LONG_MS = 250;
/** A sample repeats its work until it lasts this long. */
const SAMPLE_MS = 20;
/** Before a sample: the threads of what ran before it look for work for some milliseconds more. */
const REST_MS = 20;

/** For --quick: as few rounds as there may be. */
export function hurry(): void {
  budget = 0;
}

async function sample(work: Work, repeats: number): Promise<number> {
  await new Promise((rested) => setTimeout(rested, REST_MS));
  const start = performance.now();
  for (let i = 0; i < repeats; i++) {
    const pending = work();
    if (pending) await pending;
  }
  return (performance.now() - start) / repeats;
}

/** Warms up, and finds how often to repeat and what a sample takes then. */
async function repeatsFor(work: Work): Promise<{ repeats: number; ms: number }> {
  const first = await sample(work, 1);
  const once = first > LONG_MS ? first : await sample(work, 2);
  if (once * 2 >= SAMPLE_MS) return { repeats: 1, ms: once };
  const warm = await sample(work, Math.ceil(SAMPLE_MS / 4 / once));
  const repeats = Math.max(1, Math.ceil(SAMPLE_MS / warm));
  return { repeats, ms: warm * repeats };
}

interface Round {
  readonly times: readonly number[];
  readonly ideal: number;
}

async function roundsOf(works: readonly Work[], ceiling?: Ceiling): Promise<Round[]> {
  const plans = [];
  for (const work of works) plans.push({ work, ...(await repeatsFor(work)) });
  ceiling?.();
  const whole = plans.reduce((sum, { ms }) => sum + ms, 0);
  const least = !budget || whole > LONG_ROUND_MS ? 3 : LEAST_ROUNDS;
  const count = Math.min(MOST_ROUNDS, Math.max(least, Math.floor(budget / whole)));
  const rounds: Round[] = [];
  for (let round = 0; round < count; round++) {
    const times = [];
    for (const { work, repeats } of plans) times.push(await sample(work, repeats));
    rounds.push({ times, ideal: ceiling?.() ?? Number.NaN });
  }
  return rounds;
}

function timingOf(rounds: readonly Round[], ceiling?: Ceiling): Timing {
  const oursMs = quantile(rounds.map(({ times }) => times[0]));
  if (!ceiling) return { oursMs };
  return { oursMs, share: quantile(rounds.map(({ times, ideal }) => ideal / times[0])) };
}

/** Ours beside the roofline only. */
export async function alone(ours: Work, ceiling?: Ceiling): Promise<Timing> {
  return timingOf(await roundsOf([ours], ceiling), ceiling);
}

export async function paired(ours: Work, theirs: Work, ceiling?: Ceiling): Promise<Pair> {
  const rounds = await roundsOf([ours, theirs], ceiling);
  return {
    ...timingOf(rounds, ceiling),
    peerMs: quantile(rounds.map(({ times }) => times[1])),
    ...ratioOf(rounds.map(({ times }) => times[1] / times[0])),
  };
}

/** What was measured with the peer first, so that the ratio is our time ÷ the peer's. */
export function exchanged({ oursMs, peerMs, ratio, quartiles }: Pair): Pair {
  return { oursMs: peerMs, peerMs: oursMs, ratio, quartiles };
}

export function ratioOf(ratios: readonly number[]): Pick<Pair, "ratio" | "quartiles"> {
  return { ratio: quantile(ratios), quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)] };
}

/** The middle one by default. */
export function quantile(values: readonly number[], share = 0.5): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * share)];
}
