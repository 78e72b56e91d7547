// One head as it is shown: its weights w [L, S], or without its sinks, the columns whose mean over all
// rows is above 30 %; then w′ = w · Σ w / Σ of what is left, so that each row keeps its sum.

/** Above this mean a column is a sink. */
export const SINK = 0.3;

export interface Weights {
  readonly columns: number;
  /** [rows · columns], as given. */
  readonly weights: Float32Array;
  /** Of each row without its sinks; none if they are shown. */
  readonly factors: Float64Array | undefined;
  /** 1 for the columns that are left out. */
  readonly hidden: Uint8Array;
}

export interface Shown extends Weights {
  readonly rows: number;
  readonly sinks: readonly Sink[];
  /** The largest weight that is shown. */
  readonly largest: number;
}

export interface Sink {
  readonly column: number;
  readonly mean: number;
}

export function show(
  weights: Float32Array,
  rows: number,
  columns: number,
  hideSinks: boolean,
): Shown {
  const sums = new Float64Array(columns);
  const totals = new Float64Array(rows);
  let largest = 0;
  for (let i = 0, at = 0; i < rows; i++) {
    let total = 0;
    for (let j = 0; j < columns; j++, at++) {
      const weight = weights[at]!;
      total += weight;
      sums[j]! += weight;
      if (weight > largest) largest = weight;
    }
    totals[i] = total;
  }
  const sinks: Sink[] = [];
  sums.forEach((sum, column) => {
    if (sum / rows > SINK) sinks.push({ column, mean: sum / rows });
  });
  const hidden = new Uint8Array(columns);
  const whole = { rows, columns, weights, sinks, hidden, largest, factors: undefined };
  if (!hideSinks || sinks.length === 0) return whole;

  for (const { column } of sinks) hidden[column] = 1;
  const factors = new Float64Array(rows);
  largest = 0;
  for (let i = 0, at = 0; i < rows; i++) {
    let left = 0;
    let most = 0;
    for (let j = 0; j < columns; j++, at++) {
      const weight = weights[at]!;
      if (hidden[j]) continue;
      left += weight;
      if (weight > most) most = weight;
    }
    factors[i] = left > 0 ? totals[i]! / left : 0;
    largest = Math.max(largest, most * factors[i]!);
  }
  return { ...whole, factors, largest };
}

/** As it is shown: 0 in a hidden column. */
export function weightAt(shown: Weights, row: number, column: number): number {
  if (shown.hidden[column]) return 0;
  return shown.weights[row * shown.columns + column]! * (shown.factors ? shown.factors[row]! : 1);
}

/** The `count` largest weights above 0 of each row, largest first, as [column, weight]. */
export function strongest(shown: Shown, row: number, count: number): [number, number][] {
  const best: [number, number][] = [];
  for (let column = 0; column < shown.columns; column++) {
    const weight = weightAt(shown, row, column);
    if (!(weight > 0) || (best.length === count && weight <= best[count - 1]![1])) continue;
    let place = best.length;
    while (place > 0 && best[place - 1]![1] < weight) place--;
    best.splice(place, 0, [column, weight]);
    if (best.length > count) best.pop();
  }
  return best;
}

/** Σ parts / parts.length, element by element. */
export function meanOf(parts: readonly Float32Array[]): Float32Array {
  const sum = Float64Array.from(parts[0]!);
  for (const part of parts.slice(1)) for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!;
  return Float32Array.from(sum, (value) => value / parts.length);
}
