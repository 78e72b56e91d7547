// The truth of the blocks' operations in float64, from the formulas. With Math.fround for `round` they are the
// naive computation in float32, whose error bounds ours.

type Numbers = ArrayLike<number>;
export type Round = (x: number) => number;
const exact: Round = (x) => x;
const { fround } = Math;

/** Of each row [columns], and the results end to end. */
function byRow(rows: readonly Numbers[], columns: number, of: (rows: number[][]) => number[]) {
  const count = columns && rows[0].length / columns;
  const results: number[] = [];
  for (let i = 0; i < count; i++) {
    const part = rows.map((data) =>
      Array.from({ length: columns }, (_, j) => data[i * columns + j]),
    );
    results.push(...of(part));
  }
  return Float64Array.from(results);
}

const sum = (values: readonly number[], round: Round) =>
  values.reduce((total, value) => round(total + value), 0);

export interface NormGiven {
  columns: number;
  centred: boolean;
  eps: number;
  weight?: Numbers | undefined;
  bias?: Numbers | undefined;
}

function statistics(x: readonly number[], { columns, centred, eps }: NormGiven, round: Round) {
  const mean = centred ? round(sum(x, round) / columns) : 0;
  const squares = x.map((value) => round(round(value - mean) ** 2));
  const variance = round(sum(squares, round) / columns);
  const inverse = round(1 / round(Math.sqrt(round(variance + eps))));
  return { mean, inverse, normal: x.map((value) => round(round(value - mean) * inverse)) };
}

/** (x − mean) / √(variance + eps) · weight + bias, not centred x / √(mean(x²) + eps) · weight + bias. */
export function norm(x: Numbers, given: NormGiven, round: Round = exact): Float64Array {
  const { weight, bias } = given;
  return byRow([x], given.columns, ([row]) =>
    statistics(row, given, round).normal.map((value, j) => {
      const scaled = weight ? round(value * weight[j]) : value;
      return bias ? round(scaled + bias[j]) : scaled;
    }),
  );
}

/** [dx, dweight, dbias] */
export function normBackward(dy: Numbers, x: Numbers, given: NormGiven, round: Round = exact) {
  const { columns, weight, centred } = given;
  const [dWeight, dBias] = [new Float64Array(columns), new Float64Array(columns)];
  const dx = byRow([dy, x], columns, ([gradient, row]) => {
    const { inverse, normal } = statistics(row, given, round);
    const g = gradient.map((value, j) => (weight ? round(value * weight[j]) : value));
    const mean = centred ? round(sum(g, round) / columns) : 0;
    const along = g.map((value, j) => round(value * normal[j]));
    const slope = round(sum(along, round) / columns);
    gradient.forEach((value, j) => {
      dWeight[j] = round(dWeight[j] + round(value * normal[j]));
      dBias[j] = round(dBias[j] + value);
    });
    return g.map((value, j) =>
      round(inverse * round(round(value - mean) - round(normal[j] * slope))),
    );
  });
  return [dx, dWeight, dBias] as const;
}

/** Rows of −∞ give 0, and −∞ as logarithm. */
export function softmaxRow(x: readonly number[], logarithmic: boolean, round: Round = exact) {
  const m = x.reduce((a, b) => (b > a ? b : a), -Infinity);
  if (m === -Infinity && x.every((value) => value === m)) return x.map(() => (logarithmic ? m : 0));
  const e = x.map((value) => round(Math.exp(round(value - m))));
  const l = sum(e, round);
  if (!logarithmic) return e.map((value) => round(value / l));
  return x.map((value) => round(round(value - m) - round(Math.log(l))));
}

export function softmaxBackwardRow(
  dy: readonly number[],
  y: readonly number[],
  logarithmic: boolean,
  round: Round = exact,
) {
  if (logarithmic) {
    const total = sum(dy, round);
    return dy.map((value, j) => round(value - round(round(Math.exp(y[j])) * total)));
  }
  const along = sum(
    dy.map((value, j) => round(value * y[j])),
    round,
  );
  return dy.map((value, j) => round(y[j] * round(value - along)));
}

/** `of` on every line along the middle axis of [outer, size, inner]. */
export function alongAxis(
  inputs: readonly Numbers[],
  [outer, size, inner]: readonly [number, number, number],
  of: (lines: number[][]) => number[],
): Float64Array {
  const result = new Float64Array(outer * size * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      const at = (k: number) => (o * size + k) * inner + i;
      const lines = inputs.map((data) => Array.from({ length: size }, (_, k) => data[at(k)]));
      of(lines).forEach((value, k) => {
        result[at(k)] = value;
      });
    }
  return result;
}

/** e^(x²)·erfc(x) for x ≥ 0: erf's series, or the continued fraction. */
function scaledErfc(x: number): number {
  if (x < 2) {
    let term = x;
    let total = x;
    for (let n = 1; n < 100; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      total += term;
    }
    return Math.exp(x * x) - (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let k = 200; k >= 1; k--) fraction = k / 2 / (x + fraction);
  return 1 / Math.sqrt(Math.PI) / (x + fraction);
}

/** The normal distribution's Φ. */
export function normal(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const tail = z > 26 ? 0 : (Math.exp(-z * z) * scaledErfc(z)) / 2;
  return x < 0 ? tail : x >= 0 ? 1 - tail : NaN;
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

const U = Math.sqrt(2 / Math.PI);
const inner = (x: number) => 2 * U * (x + 0.044715 * x ** 3);
const innerSlope = (x: number) => 2 * U * (1 + 0.134145 * x ** 2);

/** Where exponentials and cubes are still numbers; past it the limits hold. */
const FAR = 300;
const near = (x: number, of: () => number, [left, right]: [number, number]) =>
  x > FAR ? right : x < -FAR ? left : of();

/**
 * x → f(x), x → f′(x), and by `naive` both in float32 as they are written, with erf and tanh; `share` is
 * f(x)/x, a term of the slope; `exponent` of the e^−… in both, whose rounding is a relative error.
 */
export const activations = {
  relu: {
    of: (x: number) => (x > 0 || Number.isNaN(x) ? x : 0),
    slope: (x: number) => (Number.isNaN(x) ? x : x > 0 ? 1 : 0),
    share: () => 1,
    exponent: () => 0,
    naive: { of: (x: number) => Math.max(x, 0), slope: (x: number) => (x > 0 ? 1 : 0) },
  },
  gelu: {
    of: (x: number) => near(x, () => x * normal(x), [0, x]),
    slope: (x: number) =>
      near(x, () => normal(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI), [0, 1]),
    share: normal,
    exponent: (x: number) => (x * x) / 2,
    naive: {
      of: (x: number) => fround(x * fround(0.5 * fround(1 + fround(2 * normal(x) - 1)))),
      slope: (x: number) => {
        const density = fround(Math.exp(fround(fround(x * x) * -0.5)));
        return fround(fround(normal(x)) + fround(x * fround(density / Math.sqrt(2 * Math.PI))));
      },
    },
  },
  "gelu-tanh": {
    of: (x: number) => near(x, () => x * logistic(inner(x)), [0, x]),
    slope: (x: number) => {
      const [s, rest] = [logistic(inner(x)), logistic(-inner(x))];
      return near(x, () => s + x * s * rest * innerSlope(x), [0, 1]);
    },
    share: (x: number) => logistic(inner(x)),
    exponent: (x: number) => Math.abs(inner(x)),
    naive: {
      of: (x: number) => fround(fround(0.5 * x) * fround(1 + naiveTanh(x))),
      slope: (x: number) => {
        const t = naiveTanh(x);
        const steep = fround(fround(1 - fround(t * t)) * fround(innerSlope(x) / 2));
        return fround(fround(0.5 * fround(1 + t)) + fround(fround(0.5 * x) * steep));
      },
    },
  },
  silu: {
    of: (x: number) => near(x, () => x * logistic(x), [0, x]),
    slope: (x: number) => {
      const [s, rest] = [logistic(x), logistic(-x)];
      return near(x, () => s + x * s * rest, [0, 1]);
    },
    share: logistic,
    exponent: Math.abs,
    naive: {
      of: (x: number) => fround(x * naiveLogistic(x)),
      slope: (x: number) => {
        const s = naiveLogistic(x);
        return fround(s * fround(1 + fround(x * fround(1 - s))));
      },
    },
  },
} as const;

const naiveLogistic = (x: number) => fround(1 / fround(1 + fround(Math.exp(-x))));
const naiveTanh = (x: number) =>
  fround(Math.tanh(fround(U * fround(x + fround(0.044715 * fround(x * fround(x * x)))))));

export interface LossGiven {
  targets: readonly number[];
  ignored: number;
  smoothing: number;
  /** Of the loss of each row. */
  factors: readonly number[];
}

/** Each row's loss, and the gradient of Σ factor · loss. */
export function crossEntropy(x: Numbers, columns: number, given: LossGiven, round: Round = exact) {
  const { targets, ignored, smoothing, factors } = given;
  const losses: number[] = [];
  let row = 0;
  const gradient = byRow([x], columns, ([logits]) => {
    const [target, factor] = [targets[row], factors[row++]];
    if (target === ignored) {
      losses.push(0);
      return logits.map(() => 0);
    }
    const logs = softmaxRow(logits, true, round);
    const smooth = smoothing && round(round(smoothing / columns) * sum(logs, round));
    losses.push(-round(round((1 - smoothing) * logs[target]) + smooth));
    return softmaxRow(logits, false, round).map((p, j) => {
      const wanted = round(smoothing / columns) + (j === target ? 1 - smoothing : 0);
      return round(round(p - wanted) * factor);
    });
  });
  return { losses: Float64Array.from(losses), gradient };
}

/** dL/dx along every axis by central differences, L = Σ dy · of(x). */
export function differences(of: (x: Float64Array) => Numbers, x: Numbers, dy: Numbers) {
  const step = 1e-5;
  const loss = (at: number, by: number) => {
    const moved = Float64Array.from(x);
    moved[at] += by;
    const y = of(moved);
    return Array.from(dy).reduce((total, value, i) => total + value * y[i], 0);
  };
  return Float64Array.from(x, (_, at) => (loss(at, step) - loss(at, -step)) / (2 * step));
}
