// The truth in float64, written from the formulas and not from the kernels:
//
//   s = scale · q·k                                   raw
//   s = softcap · tanh(s / softcap)                   capped
//   s = modify(s) + alibi + biases, −∞ where not visible   biased
//   w = e^(s − m) / Z · dropout,  m = max(s, sink),  Z = e^(sink − m) + Σ e^(s − m)
//   output = Σ w·v over visible keys                  logSumExp = m + ln Z
//
// The same formulas with every step rounded to float32 are the naive computation whose
// error bounds ours.

export interface Problem {
  batch: number;
  heads: number;
  keyValueHeads: number;
  queries: number;
  keys: number;
  headSize: number;
  valueSize: number;
  /** [B, H, L, D], [B, Hkv, S, D], [B, Hkv, S, Dv] */
  query: Float32Array;
  key: Float32Array;
  value: Float32Array;
  scale: number;
  /** Within the lengths of batch b. */
  present(b: number, i: number, j: number): boolean;
  visible(b: number, h: number, i: number, j: number): boolean;
  bias(b: number, h: number, i: number, j: number): number;
  /** Added after it, one after the other. */
  further?: readonly Problem["bias"][];
  alibi?(b: number, h: number, i: number, j: number): number;
  /** What a slope multiplies. */
  distance?(b: number, i: number, j: number): number;
  softcap?: number;
  modify?(score: number, b: number, h: number, i: number, j: number): number;
  sinks?: ArrayLike<number> | undefined;
  /** What dropout makes of a weight: a factor. */
  dropout?(b: number, h: number, i: number, j: number): number;
}

export type ScoresName = "raw" | "capped" | "biased";

export interface Solution {
  /** [B, H, L, Dv] */
  output: Float64Array;
  /** The largest Σ w·|v|: what an output's last place is that of, where values cancel. */
  reach: number;
  /** [B, H, L, S] */
  weights: Float64Array;
  /** [B, H, L] */
  logSumExp: Float64Array;
  /** Each [B, H, L, S] */
  scores: Record<ScoresName, Float64Array>;
}

export type Round = (x: number) => number;
export const exact: Round = (x) => x;

/** Ways to compute the same in float32. */
export interface Way {
  /** Where dot products begin to be summed: at the first term, the middle one, or backward. */
  from?: "first" | "middle" | "last";
  /** Multiply-adds rounded once. */
  fused?: boolean;
  /** The scale on the queries instead of the scores. */
  early?: boolean;
}

const WAYS: readonly Way[] = [
  {},
  { fused: true },
  { from: "middle" },
  { from: "last", fused: true },
  { early: true },
  { early: true, from: "last" },
];

/** Enough that chance alone does not fail one of the millions of problems a fuzzer draws. */
const MOST_DRAWS = 48;

/**
 * The error of one naive computation is a single draw, on small problems often a lucky one. These
 * are several, of problems next to this one (queries and values longer by a few 2⁻¹⁸) in several
 * ways: each draw's error put on this problem's truth. Drawn when asked for.
 */
export function naiveDraws<T extends object, P extends Problem>(
  problem: P,
  truth: T,
  solve: (problem: P, round?: Round, way?: Way) => T,
): Draws<T> {
  const drawn: T[] = [];
  return (k) => {
    if (k >= MOST_DRAWS) return undefined;
    if (!drawn[k]) {
      const stretch = 1 + k * 2 ** -18;
      const longer = (data: Float32Array) => data.map((x) => x * stretch);
      const next = { ...problem, query: longer(problem.query), value: longer(problem.value) };
      drawn[k] = moved(
        truth,
        solve(next, Math.fround, WAYS[k % WAYS.length]),
        k ? solve(next) : truth,
      );
    }
    return drawn[k];
  };
}

/** The k-th naive solution, as long as there is one. */
export type Draws<T> = (k: number) => T | undefined;

/** Every array of numbers in `truth` with `naive` − `exactly` added. */
function moved<T extends object>(truth: T, naive: T, exactly: T): T {
  const entries = Object.entries(truth).map(([name, value]) => {
    const [a, b] = [naive, exactly].map((solution) => solution[name as keyof T]);
    if (value instanceof Float64Array) {
      const [x, y] = [a, b] as unknown as Float64Array[];
      return [name, value.map((exact, index) => exact + (x[index] - y[index]))];
    }
    return [name, typeof value === "object" ? moved(value, a as object, b as object) : value];
  });
  return Object.fromEntries(entries) as T;
}

/** `round` = Math.fround gives a naive float32 computation. */
export function attend(
  problem: Problem,
  round: Round = exact,
  { from = "first", fused = false, early = false }: Way = {},
): Solution {
  const { batch, heads, keyValueHeads, queries, keys, headSize, valueSize, scale } = problem;
  const { key, value, softcap, modify, alibi } = problem;
  const biases = [problem.bias, ...(problem.further ?? [])];
  const output = new Float64Array(batch * heads * queries * valueSize);
  const weights = new Float64Array(batch * heads * queries * keys);
  const logSumExp = new Float64Array(batch * heads * queries);
  const hidden = () => new Float64Array(weights.length).fill(-Infinity);
  let reach = 0;
  const stages = { raw: hidden(), capped: hidden(), biased: hidden() };
  const order = Int32Array.from({ length: headSize }, (_, index) =>
    from === "last"
      ? headSize - 1 - index
      : (index + (from === "middle" ? headSize >> 1 : 0)) % headSize,
  );
  const roundedScale = round(scale);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const kv = b * keyValueHeads + Math.floor((h * keyValueHeads) / heads);
      for (let i = 0; i < queries; i++) {
        const row = (b * heads + h) * queries + i;
        const query = Float64Array.from(order, (d) => {
          const q = problem.query[row * headSize + d];
          return early ? round(q * roundedScale) : q;
        });
        const scores = stages.biased.subarray(row * keys, (row + 1) * keys);
        for (let j = 0; j < keys; j++) {
          if (!problem.present(b, i, j)) continue;
          let dot = 0;
          for (let index = 0; index < headSize; index++) {
            const product = query[index] * key[(kv * keys + j) * headSize + order[index]];
            dot = round(dot + (fused ? product : round(product)));
          }
          let score = early ? dot : round(dot * roundedScale);
          stages.raw[row * keys + j] = score;
          if (softcap) score = round(softcap * round(Math.tanh(round(score / softcap))));
          stages.capped[row * keys + j] = score;
          if (!problem.visible(b, h, i, j)) continue;
          if (modify) score = round(modify(score, b, h, i, j));
          if (alibi) score = round(score + round(alibi(b, h, i, j)));
          for (const bias of biases) score = round(score + bias(b, h, i, j));
          scores[j] = score;
        }
        const sink = problem.present(b, i, -1) ? (problem.sinks?.[h] ?? -Infinity) : -Infinity;
        let largest = sink;
        for (const score of scores) if (!(score <= largest)) largest = score;
        const base = largest === -Infinity ? 0 : largest;
        let sum = sink === -Infinity ? 0 : round(Math.exp(round(sink - base)));
        for (let j = 0; j < keys; j++) {
          const weight = scores[j] === -Infinity ? 0 : round(Math.exp(round(scores[j] - base)));
          weights[row * keys + j] = weight;
          sum = round(sum + weight);
        }
        logSumExp[row] = round(base + round(Math.log(sum)));
        const sizes = new Float64Array(valueSize);
        for (let j = 0; j < keys; j++) {
          if (sum !== 0) weights[row * keys + j] = round(weights[row * keys + j] / sum);
          if (scores[j] === -Infinity) continue;
          if (problem.dropout) {
            const factor = round(problem.dropout(b, h, i, j));
            weights[row * keys + j] = round(weights[row * keys + j] * factor);
          }
          for (let d = 0; d < valueSize; d++) {
            const at = row * valueSize + d;
            const part = round(weights[row * keys + j] * value[(kv * keys + j) * valueSize + d]);
            output[at] = round(output[at] + part);
            sizes[d] += Math.abs(part);
          }
        }
        for (const size of sizes) if (Number.isFinite(size)) reach = Math.max(reach, size);
      }
    }
  }
  return { output, reach, weights, logSumExp, scores: stages };
}

export type Merged = Pick<Solution, "output" | "logSumExp">;

/**
 * Solutions over disjoint keys as one: m = max lse, w = e^(lse − m),
 * output = Σ w·output / Σ w, logSumExp = m + ln Σ w.
 */
export function merge(parts: readonly Merged[], round: Round = exact): Merged {
  const rows = parts[0].logSumExp.length;
  const size = parts[0].output.length / rows;
  const output = new Float64Array(rows * size);
  const logSumExp = new Float64Array(rows).fill(-Infinity);
  for (let row = 0; row < rows; row++) {
    const largest = Math.max(...parts.map((part) => part.logSumExp[row]));
    if (largest === -Infinity) continue;
    const weights = parts.map((part) => round(Math.exp(round(part.logSumExp[row] - largest))));
    const sum = weights.reduce((a, b) => round(a + b), 0);
    logSumExp[row] = round(largest + round(Math.log(sum)));
    for (let at = row * size; at < (row + 1) * size; at++) {
      const mixed = parts.reduce((a, part, i) => round(a + round(weights[i] * part.output[at])), 0);
      output[at] = round(mixed / sum);
    }
  }
  return { output, logSumExp };
}

/** The distance from |x| to the next float32. */
export function ulp(x: number): number {
  const magnitude = Math.max(Math.abs(x), 2 ** -126);
  return 2 ** (Math.floor(Math.log2(magnitude)) - 23);
}

/** Weights below the least normal float32 are 0 here, a tile of them at the most. */
const FLUSHED = 2 ** -126 * 128;

/** shareOfTolerance with draws of what `pick` picks, no more of them than it takes. */
export function shareOfDraws<T>(
  got: ArrayLike<number>,
  truth: ArrayLike<number>,
  draws: Draws<T>,
  pick: (solution: T) => ArrayLike<number>,
  reach = 0,
): number {
  const naive: ArrayLike<number>[] = [];
  for (let k = 0; ; k++) {
    const draw = draws(k);
    if (draw) naive.push(pick(draw));
    const share = shareOfTolerance(got, truth, naive, reach);
    if (!draw || share <= 1) return share;
  }
}

/**
 * The worst error of `got` against `truth` as a share of what is allowed: twice the error of
 * the naive computations, plus 4 ulp of the largest element or of `reach`. Where the truth is not
 * finite, got must be the same. Infinity if sizes differ or a wrong element is not finite.
 */
export function shareOfTolerance(
  got: ArrayLike<number>,
  truth: ArrayLike<number>,
  naive: readonly ArrayLike<number>[],
  reach = 0,
): number {
  if (got.length !== truth.length) return Infinity;
  let allowed = 0;
  for (const rounded of naive) {
    for (let i = 0; i < truth.length; i++) {
      const error = Math.abs(rounded[i] - truth[i]);
      if (error > allowed && error < Infinity) allowed = error; // NaN is neither
    }
  }
  let largest = reach;
  for (let i = 0; i < truth.length; i++) {
    const size = Math.abs(truth[i]);
    if (size > largest && size < Infinity) largest = size;
  }
  allowed = 2 * allowed + 4 * ulp(largest) + FLUSHED;
  let worst = 0;
  for (let i = 0; i < truth.length; i++) {
    if (Object.is(got[i], truth[i])) continue;
    if (!Number.isFinite(truth[i]) || !Number.isFinite(got[i])) return Infinity;
    worst = Math.max(worst, Math.abs(got[i] - truth[i]) / allowed);
  }
  return worst;
}
