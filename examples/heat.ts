// A weight's colour, for terminals, pictures and pages.

type Colour = readonly [red: number, green: number, blue: number];

/** From nothing to everything, each end the farther from its paper the more there is. */
export const DARK: readonly Colour[] = [
  [12, 8, 38],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];
export const LIGHT: readonly Colour[] = [
  [238, 234, 245],
  [246, 190, 160],
  [228, 100, 92],
  [146, 36, 112],
  [52, 8, 86],
];

/** A weight's share of the largest one → [red, green, blue]. */
export function heat(share: number, stops = DARK): [number, number, number] {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const below = Math.min(Math.floor(place), stops.length - 2);
  const mix = (channel: number) =>
    Math.round(
      stops[below][channel] + (stops[below + 1][channel] - stops[below][channel]) * (place - below),
    );
  return [mix(0), mix(1), mix(2)];
}
