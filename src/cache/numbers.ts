// How a cache stores its numbers: names, and words of a row; see assembly/cache/numbers.ts.

import { NumbersKind } from "../../assembly/kinds";
import { ArgumentError, describe } from "../errors";
import type { CacheNumbers } from "./options";
import type { CacheSizes } from "./state";

const KINDS: Record<CacheNumbers, NumbersKind> = {
  float32: NumbersKind.float32,
  int16: NumbersKind.int16,
  int8: NumbersKind.int8,
  int4: NumbersKind.int4,
};

/** @throws ArgumentError for what is no name of numbers. */
export function checkNumbers(operation: string, given: unknown = "float32"): NumbersKind {
  if (Object.hasOwn(KINDS, given as string)) return KINDS[given as CacheNumbers];
  const names = Object.keys(KINDS).map((name) => `"${name}"`);
  throw new ArgumentError(operation, "numbers", names.join(", "), describe(given));
}

export function nameOf(numbers: NumbersKind): CacheNumbers {
  return (Object.keys(KINDS) as CacheNumbers[])[numbers] as CacheNumbers;
}

/** Words of a stored row of so many numbers. */
export function wordsOf(numbers: NumbersKind, size: number): number {
  switch (numbers) {
    case NumbersKind.int16:
      return 1 + Math.ceil(size / 2);
    case NumbersKind.int8:
      return 1 + Math.ceil(size / 4);
    case NumbersKind.int4:
      return 5 * Math.ceil(size / 32);
    default:
      return size;
  }
}

/** The same pages with each row as so many words, whatever they say: to copy them as they are. */
export function storedSizes(sizes: CacheSizes): CacheSizes {
  const { numbers, headSize, valueSize } = sizes;
  return {
    ...sizes,
    numbers: NumbersKind.float32,
    headSize: wordsOf(numbers, headSize),
    valueSize: wordsOf(numbers, valueSize),
  };
}
