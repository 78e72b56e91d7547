// Exact GELU, x · Φ(x), as one writes it in JavaScript, with the erf that one has. Each has a loop of its own:
// one that is given its erf would call it, where V8 puts these in place.

import jstat from "jstat";
import { erf } from "mathjs";
import { gelu as abramowitzStegun } from "../by-hand";

/** In place. */
export type Gelu = (x: Float32Array) => void;

/** Rational functions (Cody 1969), to some 1e-16. */
const rational: Gelu = (x) => {
  for (let i = 0; i < x.length; i++) x[i] *= 0.5 * (1 + erf(x[i] / Math.SQRT2));
};

/** Numerical Recipes's Chebyshev series (3rd edition, 6.2.2), to 1.2e-16 of float64. */
const chebyshev: Gelu = (x) => {
  for (let i = 0; i < x.length; i++) x[i] *= 0.5 * (1 + jstat.erf(x[i] / Math.SQRT2));
};

/** By who a BART by hand is beside ours. */
export const gelus: Readonly<Record<string, Gelu>> = {
  "by hand, erf: Abramowitz-Stegun 7.1.26": abramowitzStegun,
  "by hand, erf: mathjs (Cody)": rational,
  "by hand, erf: jstat (Numerical Recipes)": chebyshev,
};
