// How much of each row's weight falls into a rectangle: Σ inside / Σ of the row.

import { type Shown, weightAt } from "./shown";
import type { AttentionSelection } from "./types";

export interface Sums {
  /** Of each selected row; NaN for a row without weight. */
  readonly shares: readonly number[];
  /** Of all selected rows that have weight; NaN if none has. */
  readonly mean: number;
}

export function sumsOf(shown: Shown, { rows, columns }: AttentionSelection): Sums {
  const shares: number[] = [];
  for (let row = rows[0]; row <= rows[1]; row++) {
    let total = 0;
    let inside = 0;
    for (let column = 0; column < shown.columns; column++) {
      const weight = weightAt(shown, row, column);
      total += weight;
      if (column >= columns[0] && column <= columns[1]) inside += weight;
    }
    shares.push(total > 0 ? inside / total : Number.NaN);
  }
  const known = shares.filter((share) => !Number.isNaN(share));
  return { shares, mean: known.reduce((sum, share) => sum + share, 0) / known.length };
}
