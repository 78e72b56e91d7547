// Weights of a row that are exactly 0 where a key matters too little, by SparseKind, and their gradients.

import { SparseKind } from "../kinds";
import { budgetBackward, budgetRow } from "./budget";
import { entmaxBackward, EntmaxRow, entmaxRow } from "./entmax";
import { normmaxBackward, normmaxRow } from "./normmax";

/** Puts the weights in place of the scores; whether any key was seen. */
export function sparseRow(row: EntmaxRow, kind: i32, alpha: f32): bool {
  if (kind == SparseKind.entmax) return entmaxRow(row, alpha);
  return kind == SparseKind.normmax ? normmaxRow(row, alpha) : budgetRow(row, alpha);
}

/** The gradient of the scores in place of that of the weights. Gives that of α or the budget. */
export function sparseBackward(
  weights: EntmaxRow,
  gradients: EntmaxRow,
  kind: i32,
  alpha: f32,
): f64 {
  if (kind == SparseKind.entmax) return entmaxBackward(weights, gradients, <f64>alpha);
  if (kind == SparseKind.budget) return budgetBackward(weights, gradients);
  return normmaxBackward(weights, gradients, <f64>alpha);
}
