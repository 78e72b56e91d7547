// From a query and a key to a weight, one step after the other: s = scale · Σ q·k, m the largest score
// that the row sees, e = e^(s − m), weight = e / Σ e.

import type { Cell } from "./layout";
import type { Maps } from "./maps";

export interface Steps {
  readonly query: Float32Array;
  readonly key: Float32Array;
  /** Σ q·k */
  readonly product: number;
  readonly scale: number;
  readonly score: number;
  /** The largest score of the row, and the column that has it. */
  readonly largest: number;
  readonly largestColumn: number;
  readonly exponential: number;
  /** Of the exponentials of all keys that the row sees. */
  readonly sum: number;
  readonly keys: number;
  readonly weight: number;
}

/** Undefined without query and key, and for a key that the row does not see. */
export function stepsOf(
  maps: Maps,
  layer: number,
  head: number,
  { row, column }: Cell,
): Steps | undefined {
  const [from, to] = maps.span(row);
  if (!maps.products || column < from || column >= to) return undefined;
  const { query, key, scale } = maps.products;
  const size = query.columns;
  const q = query.at(layer, head).subarray(row * size, (row + 1) * size);
  const keys = key.at(layer, Math.floor((head * key.heads) / query.heads));
  const product = (j: number) => {
    let sum = 0;
    for (let d = 0; d < size; d++) sum += q[d]! * keys[j * size + d]!;
    return sum;
  };
  const scores: number[] = [];
  let largestColumn = from;
  for (let j = from; j < to; j++) {
    scores.push(scale * product(j));
    if (scores[j - from]! > scores[largestColumn - from]!) largestColumn = j;
  }
  const largest = scores[largestColumn - from]!;
  const score = scores[column - from]!;
  const sum = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
  const exponential = Math.exp(score - largest);
  return {
    query: q,
    key: keys.subarray(column * size, (column + 1) * size),
    product: product(column),
    scale,
    score,
    largest,
    largestColumn,
    exponential,
    sum,
    keys: to - from,
    weight: exponential / sum,
  };
}

/** Four digits, without zeros at their end. */
export const digits = (value: number) => `${Number(value.toPrecision(4))}`.replace("-", "−");
