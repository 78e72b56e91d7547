// Scenes of four handwritten digits, one in each quarter, not always at its middle; to begin with of fewer.

import { type Random, shuffle } from "../training/random";

/** Pixels along a side of a digit, of a quarter and of a scene. */
const DIGIT = 28;
const QUARTER = 32;
export const SIDE = 2 * QUARTER;
const SLACK = QUARTER - DIGIT;

/** Handwritten digits to make scenes of. */
export interface Digits {
  readonly count: number;
  /** [count, 28, 28], 0 is paper and 255 is ink. */
  readonly pixels: Uint8Array;
  /** [count], 0 to 9. */
  readonly labels: Uint8Array;
}

export interface Scene {
  /** [64, 64] */
  readonly pixels: Uint8Array;
  /** Top left, top right, bottom left, bottom right; NONE where a quarter is empty. */
  readonly digits: readonly number[];
}

export const NONE = -1;

/** Makes scenes of these digits. */
export class Scenes {
  readonly #digits: Digits;
  /** The images of each digit. */
  readonly #of: readonly (readonly number[])[];

  constructor(digits: Digits) {
    this.#digits = digits;
    const of: number[][] = Array.from({ length: 10 }, () => []);
    for (let image = 0; image < digits.count; image++) of[digits.labels[image]].push(image);
    this.#of = of;
  }

  /** Digits at random, four of them or fewer; every other scene of four has one of them at least twice. */
  draw(random: Random, count = 4): Scene {
    const digits = [0, 0, 0, 0].map(() => random.below(10));
    if (random.below(2) === 0) {
      const [from, copies] = [random.below(4), 1 + random.below(3)];
      for (let i = 1; i <= copies; i++) digits[(from + i) % 4] = digits[from];
    }
    if (count < 4)
      for (const quarter of shuffle([0, 1, 2, 3], random).slice(count)) digits[quarter] = NONE;
    return this.of(digits, random);
  }

  /** These digits, each in a handwriting and at a place at random. */
  of(digits: Scene["digits"], random: Random): Scene {
    const pixels = new Uint8Array(SIDE * SIDE);
    digits.forEach((digit, quarter) => {
      if (digit === NONE) return;
      const image = this.#of[digit][random.below(this.#of[digit].length)];
      const top = (quarter >> 1) * QUARTER + random.below(SLACK + 1);
      const left = (quarter & 1) * QUARTER + random.below(SLACK + 1);
      for (let y = 0; y < DIGIT; y++) {
        const from = (image * DIGIT + y) * DIGIT;
        const row = this.#digits.pixels.subarray(from, from + DIGIT);
        pixels.set(row, (top + y) * SIDE + left);
      }
    });
    return { pixels, digits };
  }
}
