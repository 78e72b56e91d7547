// What the environment says: SIZE of a vector, PORT, and MOST vectors that are kept.

import * as v from "valibot";

/** Of all vectors: a quarter of a gigabyte. */
const MOST_NUMBERS = 2 ** 26;

const whole = (byDefault: number, least: number, most: number) =>
  v.optional(
    v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number), v.minValue(least), v.maxValue(most)),
    String(byDefault),
  );

const environment = v.object({
  SIZE: whole(64, 1, 4096),
  PORT: whole(3000, 0, 65_535),
  MOST: whole(100_000, 1, 1_000_000),
});

/** One line and exit code 2 for what is no whole number in range. */
export function settings(env: Record<string, string | undefined>) {
  const { success, output, issues } = v.safeParse(environment, env);
  if (success)
    return { ...output, MOST: Math.min(output.MOST, Math.floor(MOST_NUMBERS / output.SIZE)) };
  for (const issue of issues) console.error(`${v.getDotPath(issue)}: ${issue.message}`);
  process.exit(2);
}
