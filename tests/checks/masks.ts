// Masks of every kind and shape, by a seed.

import fc from "fast-check";

export const drawnMask = fc.record({
  additive: fc.boolean(),
  axes: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
  rank: fc.integer({ min: 0, max: 4 }),
  /** Whether batch and heads are one axis. */
  headsInBatch: fc.boolean(),
  shorter: fc.constantFrom(0, 0, 0, 1, 70),
});
export type DrawnMask = typeof drawnMask extends fc.Arbitrary<infer T> ? T : never;

type At = (b: number, h: number, i: number, j: number) => number;

/** A mask over [B, H, L, S] = `full`, as attend takes it and as the reference reads it. */
export function poseMask(drawn: DrawnMask, full: number[], density: number, next: () => number) {
  const { additive } = drawn;
  const dims = full.map((size, axis) => (drawn.axes[axis] ? size : 1)).slice(4 - drawn.rank);
  const last = dims.length - 1;
  const shorter = drawn.shorter > 0 && dims[last] > 1;
  if (shorter) dims[last] = Math.max(2, dims[last] - drawn.shorter);
  const length = dims.reduce((a, b) => a * b, 1);
  const chance = () => (next() + 1) / 2 < density;
  const data = additive
    ? Float32Array.from({ length }, () => (chance() ? next() * 5 : -Infinity))
    : Uint8Array.from({ length }, () => (chance() ? 1 : 0));
  const padded = [1, 1, 1, 1, ...dims].slice(-4);
  const at: At = (...place) => {
    if (padded[3] > 1 && place[3] >= padded[3]) return additive ? -Infinity : 0;
    return data[
      padded.reduce((index, size, axis) => index * size + (size === 1 ? 0 : place[axis]), 0)
    ];
  };
  // nn.MultiheadAttention's [B·H, L, S].
  const inBatch =
    drawn.headsInBatch && dims.length === 4 && dims[0] === full[0] && dims[1] === full[1];
  const mask = { data, dims: inBatch ? [dims[0] * dims[1], dims[2], dims[3]] : dims, shorter };
  return {
    mask,
    bias: additive ? at : () => 0,
    takesPart: (...place: Parameters<At>) => at(...place) !== (additive ? -Infinity : 0),
  };
}
