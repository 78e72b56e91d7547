// Which weights a normalizer makes of a row, and by what number.

import { SparseKind } from "../../assembly/kinds";
import type { Normalizer } from "../attend/strategy";
import { ArgumentError, describe } from "../errors";

export type Sparse = Exclude<SparseKind, SparseKind.none>;

export interface Form {
  readonly kind: Sparse;
  /** α or the budget, for all heads or one for each. */
  readonly alpha: number | Float32Array;
}

/** Of the normalizers that are known here; not of those whose weights a function changes. */
export const forms = /* @__PURE__ */ new WeakMap<Normalizer, Form>();

/** What those are called in errors. */
export const KNOWN = "sparsemax, entmax15 or what alphaEntmax, alphaNormmax or budget made";

/** From where on α is told from 1, and the power of p from the largest number. */
const LEAST_ALPHA = 1.0009765625;
const MOST_ALPHA = 1024;
const MOST_BUDGET = 2 ** 24;

const RANGES: Readonly<Record<Sparse, readonly [least: number, most: number, range: string]>> = {
  [SparseKind.entmax]: [
    LEAST_ALPHA,
    MOST_ALPHA,
    `1 + 2⁻¹⁰ to ${MOST_ALPHA} (softmax is its limit at 1)`,
  ],
  [SparseKind.normmax]: [LEAST_ALPHA, MOST_ALPHA, `1 + 2⁻¹⁰ to ${MOST_ALPHA}`],
  [SparseKind.budget]: [2 ** -10, MOST_BUDGET, `2⁻¹⁰ to ${MOST_BUDGET}`],
};

/** As float32, so that the kernel has the same. */
export function checkAlpha(
  operation: string,
  argument: string,
  given: unknown,
  kind: Sparse = SparseKind.entmax,
): number {
  const [least, most, range] = RANGES[kind];
  const alpha = typeof given === "number" ? Math.fround(given) : Number.NaN;
  if (alpha >= least && alpha <= most) return alpha;
  throw new ArgumentError(operation, argument, `a number from ${range}`, describe(given));
}
