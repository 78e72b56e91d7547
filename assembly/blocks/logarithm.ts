// ln of a sum of exponentials, of which the largest is 1, to the last bit of float32.

import { logarithm } from "../transcendental";

/** ln l for l ≥ 1; −∞ for 0, and NaN or ∞ as they are. */
export function logarithmOf(l: f32): f32 {
  if (l == 0) return -(<f32>Infinity);
  return l < <f32>Infinity ? <f32>logarithm(<f64>l) : l;
}
