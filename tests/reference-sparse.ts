// Weights of a row by α-normmax and by a budget, from their formulas, τ by halving in float64. With Math.fround for
// `round` they are as one would write them in float32.

import type { Round } from "./reference-variants";

const exact: Round = (x) => x;

/** The root of a sum that falls with τ, by halving. */
function halved(low: number, high: number, sum: (tau: number) => number, target: number): number {
  for (let i = 0; i < 200; i++) {
    const tau = (low + high) / 2;
    if (sum(tau) >= target) low = tau;
    else high = tau;
  }
  return low;
}

/** Weights of one row by α-normmax: p maximises x·p − ‖p‖_α. */
export function normmaxRow(x: readonly number[], alpha: number, round: Round = exact): number[] {
  const most = x.reduce((a, b) => Math.max(a, b), -Infinity);
  if (most === -Infinity) return x.map(() => 0);
  const above = (tau: number) => x.map((value) => Math.max(round(round(value - most) - tau), 0));
  const powers = (tau: number) =>
    x.reduce((sum, value) => sum + Math.max(value - most - tau, 0) ** (alpha / (alpha - 1)), 0);
  const tau = round(halved(-1, 0, powers, 1));
  const u = above(tau).map((r) => (r > 0 ? round(r ** (1 / (alpha - 1))) : 0));
  const sum = u.reduce((a, b) => round(a + b), 0);
  return u.map((each) => round(each / sum));
}

/** Weights of one row that sum to a budget, each at most 1. */
export function budgetRow(x: readonly number[], budget: number, round: Round = exact): number[] {
  const seen = x.filter((value) => value > -Infinity).sort((a, b) => b - a);
  if (seen.length <= budget) return x.map((value) => (value > -Infinity ? 1 : 0));
  const base = seen[Math.ceil(budget) - 1];
  const clamp = (r: number) => Math.min(Math.max(r, 0), 1);
  const sum = (tau: number) => seen.reduce((total, value) => total + clamp(value - base - tau), 0);
  const tau = round(halved(-1, 0, sum, budget));
  return x.map((value) => clamp(round(round(value - base) - tau)));
}
