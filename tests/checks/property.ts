// A property over drawn problems, seeded: SEED and RUNS of the environment, and the failing seed
// with its smallest case in the report.

import fc from "fast-check";

/** A failing case is made smaller for so long; all the way down may take minutes. */
const SHRINK_MS = 5000;

export function holds<T>(problems: fc.Arbitrary<T>, check: (drawn: T) => void, runs = 60): void {
  const property = fc.property(problems, check);
  const seed = Number(process.env.SEED ?? 20261124);
  const numRuns = Number(process.env.RUNS ?? runs);
  const first = fc.check(property, { seed, numRuns, endOnFailure: true });
  if (!first.failed) return;
  const shrunk = fc.check(property, shrinking(first));
  throw new Error(reportOf(shrunk.failed ? shrunk : first));
}

/** The same of a property that is awaited, as what there is to say of it. */
export async function failureOf<T>(
  property: fc.IAsyncProperty<T>,
  seed: number,
  numRuns: number,
): Promise<string | undefined> {
  const first = await fc.check(property, { seed, numRuns, endOnFailure: true });
  if (!first.failed) return undefined;
  const shrunk = await fc.check(property, shrinking(first));
  return reportOf(shrunk.failed ? shrunk : first);
}

/** From a failing case on. */
function shrinking<T>({ seed, counterexamplePath }: fc.RunDetails<T>): fc.Parameters<T> {
  return {
    seed,
    path: counterexamplePath ?? "",
    interruptAfterTimeLimit: SHRINK_MS,
    includeErrorInReport: true,
  };
}

function reportOf<T>(failed: fc.RunDetails<T>): string {
  return fc.defaultReportMessage(failed) ?? "";
}
