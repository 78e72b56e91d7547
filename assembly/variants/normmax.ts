// α-normmax of a row of scores (Blondel, Martins & Niculae 2020, "Learning with Fenchel-Young losses"): the weights p
// that maximise x·p − ‖p‖_α are
//
//   p = u / Σ u,  u = [x − max x − τ]₊^(1/(α − 1)),  τ such that Σ u^α = 1
//
// u^α is the entmax of α' = 2 − 1/α, whose exponent 1/(α' − 1) is α/(α − 1), of differences that its factor is not
// put on: τ is found as entmax finds it, with a sum that is convex.

import { logarithm } from "../transcendental";
import { EntmaxRow, place, placesOf, raisedAny, rowMaximum, weigh, withoutFinite } from "./entmax";
import { rowThreshold } from "./threshold";

/** Puts the weights in place of the scores; whether any key was seen. */
export function normmaxRow(row: EntmaxRow, alpha: f32): bool {
  const base = rowMaximum(row);
  if (withoutFinite(row, base)) return base != -(<f32>Infinity);
  const tau = rowThreshold(row, base, 2 - 1 / <f64>alpha, 1);
  weigh(row, base, 1, 1 / (<f64>alpha - 1), tau);
  let sum: f64 = 0;
  for (let i = 0; i < placesOf(row); i++) sum += <f64>load<f32>(place(row, i));
  for (let i = 0; i < placesOf(row); i++) {
    const at = place(row, i);
    store<f32>(at, <f32>(<f64>load<f32>(at) / sum));
  }
  return true;
}

/**
 * With u = p/‖p‖, t = u^(2 − α) and D = Σ t·(dp − Σ p·dp), dx = (t∘(dp − Σ p·dp) − p·D)·‖p‖/(α − 1), in place of dp.
 * Gives dα.
 */
export function normmaxBackward(weights: EntmaxRow, gradients: EntmaxRow, alpha: f64): f64 {
  let most: f64 = 0;
  for (let i = 0; i < placesOf(weights); i++) {
    most = max<f64>(most, <f64>load<f32>(place(weights, i)));
  }
  let powers: f64 = 0;
  let mean: f64 = 0;
  for (let i = 0; i < placesOf(weights); i++) {
    const p = <f64>load<f32>(place(weights, i));
    if (p == 0) continue;
    powers += raisedAny(p / most, alpha);
    mean += p * <f64>load<f32>(place(gradients, i));
  }
  const norm = most * raisedAny(powers, 1 / alpha);
  let along: f64 = 0;
  let entropy: f64 = 0;
  let result: f64 = 0;
  for (let i = 0; i < placesOf(weights); i++) {
    const p = <f64>load<f32>(place(weights, i));
    if (p == 0) continue;
    const u = p / norm;
    const g = <f64>load<f32>(place(gradients, i)) - mean;
    along += g * raisedAny(u, 2 - alpha);
    entropy += raisedAny(u, alpha) * logarithm(u);
    result += g * p * logarithm(p);
  }
  const scale = norm / (alpha - 1);
  for (let i = 0; i < placesOf(weights); i++) {
    const p = <f64>load<f32>(place(weights, i));
    const at = place(gradients, i);
    const g = <f64>load<f32>(at) - mean;
    const d = p == 0 ? 0 : scale * (g * raisedAny(p / norm, 2 - alpha) - p * along);
    store<f32>(at, <f32>d);
  }
  return most == 0 ? 0 : ((entropy * along * norm * norm) / alpha - result) / (alpha - 1);
}
