// Dropout on the weights, checked and made plain for the kernel: see assembly/attend/scores/dropout.ts.

import type { Dropout } from "../attend/options";
import { ArgumentError, describe } from "../errors";
import { reader } from "./names";

export interface CheckedDropout {
  /** Weights whose number lies below it, of 2³², are dropped. */
  readonly dropped: number;
  readonly factor: number;
  readonly seedLow: number;
  readonly seedHigh: number;
}

const readDropout = reader<Dropout>({ probability: 1, seed: 1 }, "{ probability, seed }");

/** Set in no seed that a caller gives. */
const APPENDED_SEED = 2 ** 31;

/** Of keys appended to a call's own: under the same seed, other random numbers. */
export function dropoutOfAppended(dropout: CheckedDropout | undefined): CheckedDropout | undefined {
  return dropout && { ...dropout, seedHigh: dropout.seedHigh + APPENDED_SEED };
}

/** `of` is what the names of its options begin with. */
export function checkDropout(
  operation: string,
  dropout: Dropout | undefined,
  of = "dropout.",
): CheckedDropout | undefined {
  if (dropout === undefined) return undefined;
  const { probability, seed } = readDropout(operation, dropout, "dropout");
  if (!(typeof probability === "number" && probability >= 0 && probability < 1)) {
    const expected = "a number from 0 to less than 1";
    throw new ArgumentError(operation, `${of}probability`, expected, describe(probability));
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    const expected = "an integer from 0 to 2⁵³ − 1";
    throw new ArgumentError(operation, `${of}seed`, expected, describe(seed));
  }
  const dropped = Math.floor(probability * 2 ** 32);
  if (dropped === 0) return undefined;
  return {
    dropped,
    factor: 1 / (1 - probability),
    seedLow: seed % 2 ** 32,
    seedHigh: Math.floor(seed / 2 ** 32),
  };
}
