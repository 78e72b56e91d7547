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
    if (decay)
      for (let i = 0; i < state.length; i++) {
        const e = round(Math.exp(decay[t * depth + Math.floor(i / wide)]));
        state[i] = round(state[i] * e);
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
    const row = Array.from({ length: wide }, (_, c) => {
      let sum = 0;
      for (let d = 0; d < depth; d++) {
        const q = round(map(query[t * depth + d]) * given.scale);
        sum = round(sum + round(q * state[d * wide + c]));
      }
      return sum;
    });
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
