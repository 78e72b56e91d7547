// Weights as colours, and many of them as pixels.

import { type Weights, weightAt } from "./shown";
import type { Span } from "./visible";

/** From nothing to everything, each end the farther from its paper the more there is: as "rrggbb". */
const RAMPS = {
  light: "eeeaf5f6bea0e4645c922470340856",
  dark: "1f1838571070bc3754f98e09fcffa4",
};
export type Theme = keyof typeof RAMPS;

/** 256 colours [red, green, blue]; `lifted` spends them by the root of a weight. */
export function rampOf(theme: Theme, lifted: boolean): Uint8Array {
  const stops = RAMPS[theme].match(/../g)!.map((pair) => Number.parseInt(pair, 16));
  const last = stops.length / 3 - 1;
  return Uint8Array.from({ length: 768 }, (_, at) => {
    const share = Math.floor(at / 3) / 255;
    const place = (lifted ? Math.sqrt(share) : share) * last;
    const below = Math.min(Math.floor(place), last - 1);
    const [a, b] = [stops[3 * below + (at % 3)]!, stops[3 * below + 3 + (at % 3)]!];
    return Math.round(a + (b - a) * (place - below));
  });
}

/** Where a share of the largest weight lies in the ramp. */
const stepOf = (share: number) => Math.round(Math.min(Math.max(share, 0), 1) * 255);

/** From here so many. */
export interface Region {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

/**
 * The largest weight of the cells of each square, as many squares as width · height; −1 where all are
 * masked or hidden.
 */
export function squares(
  shown: Weights,
  span: Span,
  region: Region,
  [width, height]: readonly [number, number],
): Float32Array {
  const found = new Float32Array(width * height).fill(-1);
  const across = Int32Array.from({ length: region.columns }, (_, j) =>
    Math.floor((j * width) / region.columns),
  );
  for (let i = 0; i < region.rows; i++) {
    const row = region.row + i;
    const line = Math.floor((i * height) / region.rows) * width;
    const [from, to] = span(row);
    const end = Math.min(to, region.column + region.columns);
    for (let column = Math.max(from, region.column); column < end; column++) {
      if (shown.hidden[column]) continue;
      const at = line + across[column - region.column]!;
      // What is less than nothing is drawn as nothing, not as masked.
      const weight = Math.max(weightAt(shown, row, column), 0);
      if (weight > found[at]!) found[at] = weight;
    }
  }
  return found;
}

/** RGBA, clear where a square is −1. */
export function pixelsOf(
  found: Float32Array,
  largest: number,
  ramp: Uint8Array,
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * found.length);
  for (let at = 0; at < found.length; at++) {
    if (found[at]! < 0) continue;
    const step = 3 * stepOf(found[at]! / (largest || 1));
    for (let channel = 0; channel < 3; channel++) pixels[4 * at + channel] = ramp[step + channel]!;
    pixels[4 * at + 3] = 255;
  }
  return pixels;
}
