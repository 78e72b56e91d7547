// A property over drawn problems, seeded: SEED and RUNS of the environment, and the failing seed
// with its smallest case in the report.

import fc from "fast-check";

export function holds<T>(problems: fc.Arbitrary<T>, check: (drawn: T) => void, runs = 60): void {
  fc.assert(fc.property(problems, check), {
    seed: Number(process.env.SEED ?? 20261124),
    numRuns: Number(process.env.RUNS ?? runs),
    includeErrorInReport: true,
  });
}
