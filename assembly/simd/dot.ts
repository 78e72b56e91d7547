// Four or two products of bytes and their sum, of relaxed SIMD: the left side signed, the right side 0 to 127,
// where no sum of two saturates and every engine has the same answer. The portable build cannot run them, and
// has operands dropped in their place (scripts/variants.mjs).

/** sum + Σ of four products. */
// @ts-ignore: decorator
@inline
export function dotAdd(a: v128, b: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, sum);
}

/** Σ of two products, in 16 bits. */
// @ts-ignore: decorator
@inline
export function dotPairs(a: v128, b: v128): v128 {
  // @ts-ignore: declared with a third operand that the instruction has not
  return i16x8.relaxed_dot_i8x16_i7x16_s(a, b);
}

/**
 * 1 where dotAdd is one instruction of the processor, told by its answer outside 0 to 127: unsigned without
 * saturation (vpdpbusd) or signed (sdot, vpdpbssd). Elsewhere it is several, dotPairs is faster, and V8 11's
 * first tier is wrong.
 */
export function dotsInOne(): i32 {
  // Read from memory, so that no optimiser has an answer of its own.
  const constants = memory.data<u8>([127, 127, 127, 127, 255, 255, 255, 255, 100, 0, 0, 0]);
  const a = v128.load32_splat(constants);
  const b = v128.load32_splat(constants, 4);
  const sum = i32x4.extract_lane(dotAdd(a, b, v128.load32_splat(constants, 8)), 0) - 100;
  return sum == 4 * 127 * 255 || sum == -4 * 127 ? 1 : 0;
}
