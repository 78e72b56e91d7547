// Four float32 lanes: multiply-add, sums, maxima. A relaxed multiply-add rounds
// once where the machine has a fused one and twice where it has not; the portable
// build always rounds twice, so its bits are the same on every engine, and so do
// modules that are compiled with UNFUSED (scripts/wasm.mjs). Other relaxed SIMD
// is the products of bytes alone, in bytes.ts and quantized/fours.ts.

/** a·b + c. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  // @ts-ignore: a constant of the compiler's command
  if (ASC_FEATURE_RELAXED_SIMD && !isDefined(UNFUSED)) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** (v0 + v2) + (v1 + v3): one fixed order. */
// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** Largest lane; NaN lanes lose, see larger(). */
// @ts-ignore: decorator
@inline
export function maxLanes(v: v128): f32 {
  const pairs = larger(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(larger(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2)), 0);
}

/**
 * max(a, b), keeping a where b is NaN: one instruction where f32x4.max takes
 * seven on x64. A NaN score reaches its row through 2^NaN, not through the maximum.
 */
// @ts-ignore: decorator
@inline
export function larger(a: v128, b: v128): v128 {
  return f32x4.pmax(a, b);
}

/** 1 where relaxed multiply-add rounds once: (1 + 2⁻¹²)² − (1 + 2⁻¹¹) keeps its 2⁻²⁴ then. */
export function fusedMultiplyAdd(): i32 {
  // Read from memory, so that no optimiser folds the answer in with its own rounding.
  const constants = memory.data<f32>([1.000244140625, -1.00048828125]);
  const x = v128.load32_splat(constants);
  const y = v128.load32_splat(constants, 4);
  return f32x4.extract_lane(madd(x, x, y), 0) != 0 ? 1 : 0;
}
