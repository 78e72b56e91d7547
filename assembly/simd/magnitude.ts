// The largest magnitude of floats, NaN where there is one: without their signs floats are in the order of their
// bits, NaN above all, and integers have a maximum in one instruction, where f32x4.max takes eight.

/** Everything but the sign, from memory: a constant is made anew at each use. */
const MAGNITUDE = memory.data<u32>([0x7fffffff]);

// @ts-ignore: decorator
@inline
export function magnitudeMask(): v128 {
  return v128.load32_splat(MAGNITUDE);
}

/** The larger of `most`, magnitudes already, and those of x. */
// @ts-ignore: decorator
@inline
export function largerMagnitude(most: v128, x: v128, mask: v128): v128 {
  return i32x4.max_s(most, v128.and(x, mask));
}

/** The largest of four. */
// @ts-ignore: decorator
@inline
export function largestOfFour(four: v128): f32 {
  const two = i32x4.max_s(four, v128.shuffle<i32>(four, four, 2, 3, 0, 1));
  return f32x4.extract_lane(i32x4.max_s(two, v128.shuffle<i32>(two, two, 1, 0, 3, 2)), 0);
}
