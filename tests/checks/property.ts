// A property over drawn problems, seeded: SEED and RUNS of the environment, and the failing seed
// with its smallest case in the report.

import fc from "fast-check";

/** Smaller cases of one that failed are looked for so long. */
const SHRINKING_MS = Number(process.env.SHRINKING_MS ?? 5000);

export function holds<T>(problems: fc.Arbitrary<T>, check: (drawn: T) => void, runs = 60): void {
  let end = Infinity;
  const property = fc.property(problems, (drawn) => {
    if (performance.now() > end) return;
    try {
      check(drawn);
    } catch (error) {
      end = Math.min(end, performance.now() + SHRINKING_MS);
      throw error;
    }
  });
  fc.assert(property, {
    seed: Number(process.env.SEED ?? 20261124),
    numRuns: Number(process.env.RUNS ?? runs),
    includeErrorInReport: true,
  });
}
