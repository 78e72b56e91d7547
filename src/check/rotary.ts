// Rotary embeddings of a cache or a layer, as a caller says them, and where each of its rows stands.

import { ArgumentError, describe } from "../errors";
import type { RotateOptions } from "../positions/rotary";
import { reader } from "./names";
import { renamed } from "./renamed";
import { numbersOf } from "./values";

/** Rotary embeddings of keys and of the queries that attend to them: the options of `rotate` that say which. */
export type Rotary = Pick<
  RotateOptions,
  "pairing" | "dimensions" | "frequencies" | "base" | "attentionFactor"
>;

const readFields = reader<Rotary>({
  pairing: 1,
  dimensions: 1,
  frequencies: 1,
  base: 1,
  attentionFactor: 1,
});

/** A copy that stays as it is; `tried` throws what `rotate` says of it. */
export function readRotary(
  operation: string,
  given: Rotary,
  tried: (rotary: Rotary) => void,
): Rotary {
  const read = readFields(operation, given, "rotary");
  const { frequencies } = read;
  renamed(operation, "rotary.", () => tried(read));
  return frequencies ? { ...read, frequencies: Float32Array.from(frequencies) } : read;
}

/**
 * The position [B, L] of each row: of the first row of each batch, or of all of them, or going on from
 * `startOf` each batch.
 */
export function checkRowPositions(
  operation: string,
  given: number | ArrayLike<number> | undefined,
  [batch, rows]: readonly [batch: number, rows: number],
  startOf: (b: number) => number,
): number[] {
  const goOn = (startOf: (b: number) => number) =>
    Array.from({ length: batch * rows }, (_, i) => startOf(Math.floor(i / rows)) + (i % rows));
  if (given === undefined) return goOn(startOf);
  if (typeof given === "number") {
    return checked(
      operation,
      goOn(() => given),
    );
  }
  const numbers = numbersOf(given, [batch, batch * rows]);
  if (!numbers) {
    const expected = `a number, or [B] = ${batch} or [B, L] = ${batch * rows} integers`;
    throw new ArgumentError(operation, "positions", expected, describe(given));
  }
  const each = numbers.length === batch * rows;
  return checked(operation, each ? numbers : goOn((b) => numbers[b] as number));
}

function checked(operation: string, positions: number[]): number[] {
  for (const position of positions) {
    if (Number.isInteger(position)) continue;
    throw new ArgumentError(operation, "positions", "integers", describe(position));
  }
  return positions;
}
