// Which piece comes next, given the logits of all: greedy, at random within bounds, or the best of several
// beginnings (beams). None of this is attention.
//
// logits: a Float32Array, one number a piece. Probabilities of pieces that are left out are 0; those that
// are kept are divided by their sum.

import type { Random } from "../training/random";

export interface Sampling {
  /** Logits are divided by it; 0 is greedy. 1 by default. */
  readonly temperature?: number | undefined;
  /** Only the k likeliest pieces (Fan et al. 2018). */
  readonly topK?: number | undefined;
  /** Only the likeliest pieces that together have this probability (Holtzman et al. 2019). */
  readonly topP?: number | undefined;
  /** Only pieces of at least this share of the likeliest one's probability (Nguyen et al. 2024). */
  readonly minP?: number | undefined;
  /** Logits of pieces that were written lately are divided by it, or multiplied below 0 (Keskar et al. 2019). */
  readonly repetitionPenalty?: number | undefined;
}

/** The likeliest; of equal ones the first. */
export function greedy(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  return best;
}

/** One piece, drawn by its probability. `recent`: ids that were written lately. */
export function sample(
  logits: Float32Array,
  sampling: Sampling,
  random: Random,
  recent: Iterable<number> = [],
): number {
  const { temperature = 1, topK, topP, minP, repetitionPenalty = 1 } = sampling;
  const penalised = penalise(logits, recent, repetitionPenalty);
  if (temperature === 0) return greedy(penalised);
  let kept = softmax(penalised, temperature);
  if (topK !== undefined) kept = keepTopK(kept, topK);
  if (topP !== undefined) kept = keepTopP(kept, topP);
  if (minP !== undefined) kept = keepMinP(kept, minP);
  return draw(kept, random);
}

/** e^(logit / temperature) over its sum. */
export function softmax(logits: Float32Array, temperature = 1): Float64Array {
  const largest = logits[greedy(logits)];
  const powers = new Float64Array(logits);
  for (let id = 0; id < powers.length; id++)
    powers[id] = Math.exp((powers[id] - largest) / temperature);
  return normalised(powers);
}

export function penalise(
  logits: Float32Array,
  recent: Iterable<number>,
  penalty: number,
): Float32Array {
  const result = logits.slice();
  for (const id of new Set(recent)) {
    result[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
  }
  return result;
}

/** Of equal ones the first are kept. */
export function keepTopK(probabilities: Float64Array, k: number): Float64Array {
  return keepFirst(probabilities, byProbability(probabilities), k);
}

/** The fewest that reach `mass` together, at least one. */
export function keepTopP(probabilities: Float64Array, mass: number): Float64Array {
  const order = byProbability(probabilities);
  let sum = 0;
  let count = 0;
  while (count < order.length && (count === 0 || sum < mass)) sum += probabilities[order[count++]];
  return keepFirst(probabilities, order, count);
}

export function keepMinP(probabilities: Float64Array, share: number): Float64Array {
  const least = share * probabilities.reduce((a, b) => Math.max(a, b));
  return normalised(probabilities.map((p) => (p >= least ? p : 0)));
}

/** The first id at which the sum of probabilities passes a number uniform in [0, 1). */
export function draw(probabilities: Float64Array, { uniform }: Random): number {
  let left = uniform();
  let last = 0;
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0) continue;
    left -= probabilities[id];
    last = id;
    if (left < 0) break;
  }
  return last;
}

export interface Extension {
  /** Which beam it goes on from. */
  readonly beam: number;
  readonly id: number;
  /** The sum of ln probability of all its pieces. */
  readonly score: number;
}

/**
 * One step of beam search: the `count` best of all beams with each piece after them, the best first.
 * logits [beams, pieces], `scores` those of the beams.
 */
export function extendBeams(
  logits: Float32Array,
  scores: readonly number[],
  count: number,
): Extension[] {
  const pieces = logits.length / scores.length;
  const all = scores.flatMap((score, beam) => {
    const row = logits.subarray(beam * pieces, (beam + 1) * pieces);
    const logSum = logSumExp(row);
    return Array.from(row, (logit, id) => ({ beam, id, score: score + logit - logSum }));
  });
  return all.sort((a, b) => b.score - a.score).slice(0, count);
}

/** ln Σ e^logit */
export function logSumExp(logits: Float32Array): number {
  const largest = logits[greedy(logits)];
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return largest + Math.log(sum);
}

function byProbability(probabilities: Float64Array): Uint32Array {
  const ids = Uint32Array.from(probabilities, (_, id) => id);
  return ids.sort((a, b) => probabilities[b] - probabilities[a] || a - b);
}

function keepFirst(probabilities: Float64Array, order: Uint32Array, count: number): Float64Array {
  const result = new Float64Array(probabilities.length);
  for (const id of order.subarray(0, count)) result[id] = probabilities[id];
  return normalised(result);
}

function normalised(values: Float64Array): Float64Array {
  let sum = 0;
  for (const value of values) sum += value;
  return values.map((value) => value / sum);
}
