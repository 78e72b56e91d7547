// Integers of four rows or tokens side by side, as their columns.

/** Two numbers of 16 bits of each of four rows, of which `a` holds the first and `b` the second. */
// @ts-ignore: decorator
@inline
export function pairsOf(a: v128, b: v128): v128 {
  const both = i16x8.narrow_i32x4_s(a, b);
  return v128.shuffle<i16>(both, both, 0, 4, 1, 5, 2, 6, 3, 7);
}

/** Four bytes of each of four rows, of which `a` to `d` hold one each. */
// @ts-ignore: decorator
@inline
export function foursOf(a: v128, b: v128, c: v128, d: v128): v128 {
  const all = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
  return v128.shuffle<i8>(all, all, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/** Four bytes to each of four rows that lie `bytes` apart. */
// @ts-ignore: decorator
@inline
export function storeFours(target: usize, bytes: usize, x: v128): void {
  v128.store32_lane(target, x, 0);
  v128.store32_lane(target + bytes, x, 1);
  v128.store32_lane(target + 2 * bytes, x, 2);
  v128.store32_lane(target + 3 * bytes, x, 3);
}
