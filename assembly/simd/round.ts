// Floats of less than 2²² rounded to the nearest integers, halves to even: added to 1.5·2²³ they are, as its last
// bits. Two instructions, where f32x4.nearest and i32x4.trunc_sat_f32x4_s are some ten on x64.

/** 1.5·2²³, from memory: a constant is made anew at each use. */
const SHIFT = memory.data<f32>([12582912]);

// @ts-ignore: decorator
@inline
export function roundingShift(): v128 {
  return v128.load32_splat(SHIFT);
}

// @ts-ignore: decorator
@inline
export function nearestFour(x: v128, shift: v128): v128 {
  return i32x4.sub(f32x4.add(x, shift), shift);
}
