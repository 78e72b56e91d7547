// How much of each row's weight falls into a rectangle: Σ inside / Σ of the row.

import { type Shown, weightAt } from "./shown";
import type { AttentionSelection } from "./types";

interface Cell {
  readonly row: number;
  readonly column: number;
}

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

/** Whether a table that ends with this row and column has all of it. */
export function isWithin({ rows, columns }: AttentionSelection, last: Cell): boolean {
  return rows[1] <= last.row && columns[1] <= last.column;
}
