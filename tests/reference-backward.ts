// The gradients in float64, written from the formulas and not from the kernels:
//
//   P = e^(s − lse)      D = Σ dO·O      dP = Σ dO·v      dB = P·(F·dP − D)   of what was added
//   dS = dB·(1 − (capped/softcap)²)                                           of the raw scores
//   dq = scale·Σ dS·k    dk = scale·Σ dS·q    dv = Σ F·P·dO    dsink = −Σ e^(sink − lse)·D
//
// with F the dropout's factor. Checked by finite differences in backward.test.ts; rounded to float32
// step by step they are the naive computation whose error bounds ours.

import { attend, type Problem, type Round, type Way } from "./reference";

export interface BackwardProblem extends Problem {
  /** [B, H, L, Dv] */
  outputGradient: Float32Array;
}

export interface Gradients {
  /** [B, H, L, D], [B, Hkv, S, D], [B, Hkv, S, Dv] */
  query: Float64Array;
  key: Float64Array;
  value: Float64Array;
  /** [B, H, L, S], before anything is summed */
  bias: Float64Array;
  /** [B, H] */
  slopes: Float64Array;
  sinks: Float64Array;
}

/** The largest sums of magnitudes: what last places are those of, where terms cancel. */
export type Reaches = Record<keyof Gradients, number>;

export interface BackwardSolution {
  gradients: Gradients;
  reaches: Reaches;
}

export function attendBackward(
  problem: BackwardProblem,
  round: Round = (x) => x,
  way: Way = {},
): BackwardSolution {
  const { batch, heads, keyValueHeads, queries, keys, headSize, valueSize } = problem;
  const { query, key, value, outputGradient, softcap, dropout, distance } = problem;
  const scale = round(problem.scale);
  const { output, logSumExp, scores } = attend(problem, round, way);
  const sizes = {
    query: query.length,
    key: key.length,
    value: value.length,
    bias: batch * heads * queries * keys,
    slopes: batch * heads,
    sinks: batch * heads,
  };
  const made = () =>
    Object.fromEntries(
      Object.entries(sizes).map(([name, size]) => [name, new Float64Array(size)]),
    ) as unknown as Gradients;
  const [gradients, magnitudes] = [made(), made()];
  const adder = (name: keyof Gradients) => {
    const [sums, reached] = [gradients[name], magnitudes[name]];
    return (at: number, x: number, magnitude: number) => {
      sums[at] = round(sums[at] + x);
      if (Number.isFinite(magnitude)) reached[at] += magnitude;
    };
  };
  const [toQuery, toKey, toValue] = [adder("query"), adder("key"), adder("value")];
  const [toBias, toSlopes, toSinks] = [adder("bias"), adder("slopes"), adder("sinks")];
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++) {
      const kv = b * keyValueHeads + Math.floor((h * keyValueHeads) / heads);
      for (let i = 0; i < queries; i++) {
        if (!problem.present(b, i, -1)) continue;
        const row = (b * heads + h) * queries + i;
        const lse = logSumExp[row];
        let [delta, deltaSize] = [0, 0];
        for (let d = 0; d < valueSize; d++) {
          const part = round(outputGradient[row * valueSize + d] * output[row * valueSize + d]);
          delta = round(delta + part);
          deltaSize += Math.abs(part);
        }
        const sink = problem.sinks?.[h] ?? -Infinity;
        if (sink !== -Infinity) {
          const weight = round(Math.exp(round(sink - lse)));
          if (weight) toSinks(b * heads + h, -round(weight * delta), weight * deltaSize);
        }
        for (let j = 0; j < keys; j++) {
          const score = scores.biased[row * keys + j];
          if (score === -Infinity) continue;
          const weight = round(Math.exp(round(score - lse)));
          const factor = round(dropout?.(b, h, i, j) ?? 1);
          let [dp, dpSize] = [0, 0];
          for (let d = 0; d < valueSize; d++) {
            const g = outputGradient[row * valueSize + d];
            const part = round(g * value[(kv * keys + j) * valueSize + d]);
            dp = round(dp + part);
            dpSize += Math.abs(part);
            const scaled = round(weight * factor);
            const at = (kv * keys + j) * valueSize + d;
            toValue(at, round(scaled * g), Math.abs(scaled * g));
          }
          const bias = round(weight * round(round(factor * dp) - delta));
          const size = weight * (factor * dpSize + deltaSize);
          toBias(row * keys + j, bias, size);
          const steps = distance?.(b, i, j) ?? 0;
          toSlopes(b * heads + h, round(bias * steps), Math.abs(size * steps));
          let [ds, dsSize] = [bias, size];
          if (softcap) {
            const t = round(scores.capped[row * keys + j] / softcap);
            const slope = round(1 - round(t * t));
            ds = round(bias * slope);
            dsSize = size * (1 + t * t);
          }
          for (let d = 0; d < headSize; d++) {
            const [q, k] = [row * headSize + d, (kv * keys + j) * headSize + d];
            const [forQuery, forKey] = [round(scale * key[k]), round(scale * query[q])];
            toQuery(q, round(ds * forQuery), Math.abs(dsSize * forQuery));
            toKey(k, round(ds * forKey), Math.abs(dsSize * forKey));
          }
        }
      }
    }
  const largest = (sums: Float64Array) => sums.reduce((a, b) => Math.max(a, b), 0);
  const reaches = Object.fromEntries(
    Object.entries(magnitudes).map(([name, sums]) => [name, largest(sums)]),
  ) as Reaches;
  return { gradients, reaches };
}
