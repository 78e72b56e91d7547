// What a demo's command line asks for. What cannot be done ends the process with one line and code 2.

import { type ParseArgsConfig, parseArgs } from "node:util";

// Who reads what is printed may have seen enough, as `| head` has.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

export function commandLine<const Config extends ParseArgsConfig>(config: Config) {
  return orEnd(() => parseArgs(config));
}

/** A whole number from 1, as an option's text gives it. */
export function wholeNumber(option: string, text: string): number {
  return orEnd(() => {
    if (/^[0-9]+$/u.test(text) && Number(text) >= 1 && Number.isSafeInteger(Number(text))) {
      return Number(text);
    }
    throw new Error(`--${option} expected a whole number from 1, got ${JSON.stringify(text)}`);
  });
}

/** A number within bounds, as an option's text gives it. */
export function number(
  option: string,
  text: string,
  { from, to }: { from: number; to: number },
): number {
  return orEnd(() => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= from && value <= to) return value;
    const expected = `a number from ${from} to ${to}`;
    throw new Error(`--${option} expected ${expected}, got ${JSON.stringify(text)}`);
  });
}

export function orEnd<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).split("\n");
    console.error(line);
    process.exit(2);
  }
}
