// The truth of the other attentions in float64, from their formulas. With Math.fround for `round` they are the
// naive computation in float32, whose error bounds ours.

type Numbers = ArrayLike<number>;
export type Round = (x: number) => number;
const exact: Round = (x) => x;

/** One head of linear attention. */
export interface LinearGiven {
  depth: number;
  columns: number;
  /** Rows of queries [L, depth], keys [S, depth], values [S, columns]. */
  query: Numbers;
  key: Numbers;
  value: Numbers;
  /** [S, depth] */
  decay?: Numbers | undefined;
  /** [S] */
  beta?: Numbers | undefined;
  /** [depth, columns], normalised one column more. */
  state?: Numbers | undefined;
  scale: number;
  elu: boolean;
  normalised: boolean;
  eps: number;
  causal: boolean;
  /** Tokens that are taken in. */
  length: number;
}

const elu = (x: number) => (x > 0 ? x + 1 : Math.exp(x));

/** [output, state] by the recurrence as it is written. */
export function linearHead(given: LinearGiven, round: Round = exact): [number[], number[]] {
  const { depth, columns, query, key, value, decay, beta, normalised, causal } = given;
  const wide = columns + (normalised ? 1 : 0);
  const tokens = key.length / depth;
  const state = Float64Array.from({ length: depth * wide }, (_, i) => given.state?.[i] ?? 0);
  const map = (x: number) => (given.elu ? round(elu(x)) : x);
  const output: number[] = [];
  const take = (t: number) => {
    if (t >= given.length) return;
    const k = Array.from({ length: depth }, (_, d) => map(key[t * depth + d]));
    for (let d = 0; decay && d < depth; d++) {
      const e = round(Math.exp(decay[t * depth + d]));
      for (let i = d * wide; i < (d + 1) * wide; i++) state[i] = round(state[i] * e);
    }
    for (let c = 0; c < wide; c++) {
      let v = c < columns ? value[t * columns + c] : 1;
      if (beta) {
        let held = 0;
        for (let d = 0; d < depth; d++) held = round(held + round(k[d] * state[d * wide + c]));
        v = round(beta[t] * round(v - held));
      }
      for (let d = 0; d < depth; d++)
        state[d * wide + c] = round(state[d * wide + c] + round(k[d] * v));
    }
  };
  const read = (t: number) => {
    const row = new Float64Array(wide);
    for (let d = 0; d < depth; d++) {
      const q = round(map(query[t * depth + d]) * given.scale);
      for (let c = 0; c < wide; c++) row[c] = round(row[c] + round(q * state[d * wide + c]));
    }
    const divisor = normalised ? round(row[columns] + given.eps) : 1;
    for (let c = 0; c < columns; c++) output.push(round(row[c] / divisor));
  };
  if (!causal) for (let t = 0; t < tokens; t++) take(t);
  for (let t = 0; t < query.length / depth; t++) {
    if (causal) take(t);
    read(t);
  }
  return [output, Array.from(state)];
}

/** Rows [channels, length] of a causal convolution and its state. */
export function convRow(
  x: Numbers,
  weight: Numbers,
  past: Numbers,
  form: { bias: number; silu: boolean },
  round: Round = exact,
): number[] {
  const row = [...Array.from(past), ...Array.from(x)];
  return Array.from(x, (_, t) => {
    let y = form.bias;
    for (let k = 0; k < weight.length; k++) y = round(y + round(weight[k] * row[t + k]));
    return form.silu ? round(y / round(1 + round(Math.exp(-y)))) : y;
  });
}

/** Weights of one row of scores by α-entmax, τ by halving in float64; −∞ is left out. */
export function entmaxRow(x: readonly number[], alpha: number): number[] {
  const most = x.reduce((a, b) => Math.max(a, b), -Infinity);
  if (most === -Infinity) return x.map(() => 0);
  const z = x.map((value) => (alpha - 1) * (value - most));
  const weigh = (tau: number) => z.map((value) => Math.max(value - tau, 0) ** (1 / (alpha - 1)));
  let [low, high] = [-1, 0];
  // As long as there is a number between them.
  for (let tau = -0.5; tau !== low && tau !== high; tau = (low + high) / 2) {
    if (weigh(tau).reduce((a, b) => a + b, 0) >= 1) low = tau;
    else high = tau;
  }
  return weigh(low);
}

/** In float32, as one would write it: τ of the float64 row, rounded. */
export function entmaxNaive(x: readonly number[], alpha: number): number[] {
  const { fround } = Math;
  const most = x.reduce((a, b) => Math.max(a, b), -Infinity);
  if (most === -Infinity) return x.map(() => 0);
  const z = x.map((value) => fround(fround(alpha - 1) * fround(value - most)));
  const exactly = entmaxRow(x, alpha);
  const at = exactly.findIndex((p) => p > 0);
  const tau = fround((alpha - 1) * (x[at] - most) - exactly[at] ** (alpha - 1));
  return z.map((value) => fround(fround(Math.max(fround(value - tau), 0)) ** (1 / (alpha - 1))));
}

/** Scores of a head, and what makes weights of a row of them. */
export interface VariantHead {
  queries: number;
  keys: number;
  depth: number;
  columns: number;
  query: Numbers;
  key: Numbers;
  value: Numbers;
  /** Additive: v and b; else products, scaled. */
  weight?: Numbers | undefined;
  bias?: Numbers | undefined;
  scale: number;
  /** 0 for softmax. */
  alpha: number;
  visible(i: number, j: number): boolean;
  /** Adaptive: z and R. */
  span?: { z: number; ramp: number } | undefined;
  /** The element that scores are summed from: another draw of their roundings. */
  first?: number;
  /** Math.tanh, unless said otherwise. */
  tanh?: ((x: number) => number) | undefined;
}

/** [output, weights, scores] of a head. */
export function variantHead(head: VariantHead, round: Round = exact) {
  const { tanh = Math.tanh } = head;
  const { queries, keys, depth, columns, query, key, value, weight, bias, alpha } = head;
  const output: number[] = [];
  const weights: number[] = [];
  const all: number[] = [];
  for (let i = 0; i < queries; i++) {
    const scores = Array.from({ length: keys }, (_, j) => {
      if (!head.visible(i, j)) return -Infinity;
      let sum = 0;
      for (let n = 0; n < depth; n++) {
        const d = (n + (head.first ?? 0)) % depth;
        const [q, k] = [query[i * depth + d], key[j * depth + d]];
        const term = weight
          ? weight[d] * round(tanh(round(round(q + (bias?.[d] ?? 0)) + k)))
          : round(q * head.scale) * k;
        sum = round(sum + round(term));
      }
      if (head.span) {
        const { z, ramp } = head.span;
        const m = Math.min(Math.max((ramp + z - Math.abs(i - j)) / ramp, 0), 1);
        return round(sum + round(Math.log(m)));
      }
      return sum;
    });
    const p = alpha
      ? round === exact
        ? entmaxRow(scores, alpha)
        : entmaxNaive(scores, alpha)
      : softmaxOf(scores, round);
    all.push(...scores);
    weights.push(...p);
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (let j = 0; j < keys; j++)
        if (p[j] !== 0) sum = round(sum + round(p[j] * value[j * columns + c]));
      output.push(sum);
    }
  }
  return { output, weights, scores: all };
}

function softmaxOf(scores: readonly number[], round: Round): number[] {
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  if (most === -Infinity) return scores.map(() => 0);
  const e = scores.map((score) => round(Math.exp(round(score - most))));
  const sum = e.reduce((a, b) => round(a + b), 0);
  return e.map((x) => round(x / sum));
}

/** Alignments [steps, keys] by the recurrence; 0 past `length`. */
export function monotonicRow(
  p: readonly (readonly number[])[],
  previous: readonly number[],
  length: number,
): number[][] {
  let before = previous;
  return p.map((row) => {
    let q = 0;
    before = row.map((chosen, j) => {
      if (j >= length) return 0;
      q = (j ? (1 - row[j - 1]) * q : 0) + before[j];
      return chosen * q;
    });
    return before as number[];
  });
}

/** One step of location-sensitive attention for one batch. */
export interface LocationGiven {
  /** [D] */
  query: Numbers;
  /** Rows of keys [S, D] and values [S, columns]. */
  key: Numbers;
  value: Numbers;
  /** [filters, 2, width] and [filters, D] */
  filters: Numbers;
  location: Numbers;
  /** v and b, [D] */
  weight: Numbers;
  bias: Numbers;
  /** Weights of the step before and the sum of all before, [S]. */
  previous: Numbers;
  cumulative: Numbers;
  /** Keys that are there. */
  length: number;
  width: number;
  /** 0 for softmax. */
  alpha: number;
}

/** By the formula: e = v·tanh(q + k + U f + b), f = F ∗ (previous, cumulative) with zeros past the ends. */
export function locationStep(given: LocationGiven, round: Round = exact) {
  const { query, key, value, filters, location, width, previous, cumulative, alpha } = given;
  const [depth, keys] = [query.length, previous.length];
  const count = location.length / depth;
  const scores = Array.from({ length: keys }, (_, j) => {
    if (j >= given.length) return -Infinity;
    const features = Array.from({ length: count }, (_, f) => {
      let sum = 0;
      for (const [c, x] of [previous, cumulative].entries())
        for (let t = 0; t < width; t++) {
          const i = j + t - Math.floor((width - 1) / 2);
          if (i < 0 || i >= keys) continue;
          sum = round(sum + round(filters[(f * 2 + c) * width + t] * x[i]));
        }
      return sum;
    });
    let score = 0;
    for (let d = 0; d < depth; d++) {
      let located = key[j * depth + d];
      for (const [f, feature] of features.entries())
        located = round(located + round(feature * location[f * depth + d]));
      const t = round(Math.tanh(round(round(query[d] + given.bias[d]) + located)));
      score = round(score + round(given.weight[d] * t));
    }
    return score;
  });
  const weights = alpha ? entmaxRow(scores, alpha) : softmaxOf(scores, round);
  const columns = value.length / keys;
  const output = Array.from({ length: columns }, (_, c) => {
    let sum = 0;
    for (let j = 0; j < keys; j++)
      if (weights[j] !== 0) sum = round(sum + round(weights[j] * value[j * columns + c]));
    return sum;
  });
  return { output, weights, cumulative: weights.map((w, j) => round(w + cumulative[j])) };
}
