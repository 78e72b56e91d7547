import { exp2 } from "../../assembly/simd/exp2";

function power(d: f32, c: f32): f32 {
  return f32x4.extract_lane(exp2(f32x4.splat(d), f32x4.splat(c)), 2);
}

/** Error of 2^(d·c) in units of the last place of the result, against float64. */
function error(d: f32, c: f32): f64 {
  const truth = Math.pow(2, <f64>d * <f64>c);
  const unit = Math.pow(2, Math.floor(Math.log2(truth)) - 23);
  return Math.abs(<f64>power(d, c) - truth) / unit;
}

describe("exp2", () => {
  it("is within 1.5 ulp from 0 to the smallest normal number", () => {
    let worst: f64 = 0;
    for (let i = 0; i < 126 * 2048; i++) worst = max(worst, error(-(<f32>i) / 2048, 1));
    expect<f64>(worst).toBeLessThan(1.5);
  });

  it("adds no more than the rounding of d·c where c is not a power of two", () => {
    for (let i = 1; i < 80000; i++) {
      const d = -(<f32>i) / 1024;
      // ln 2 · |d·c| · 2⁻²⁴ relative, twice over: d·c and its remainder, in units of 2⁻²³.
      const rounding = Math.LN2 * Math.abs(<f64>d * 1.4426950408889634);
      const got = error(d, 1.4426950408889634);
      if (got > 1.5 + rounding * 2) expect<f64>(got).toBeLessThan(1.5 + rounding * 2);
    }
  });

  it("is exactly 1 at 0 and exact at negative integers", () => {
    expect<f32>(power(0, 1)).toBe(1);
    for (let n = 1; n <= 126; n++) expect<f32>(power(-(<f32>n), 1)).toBe(<f32>Math.pow(2, -n));
  });

  it("is 0 below the normal numbers and at −∞", () => {
    expect<f32>(power(-127, 1)).toBe(0);
    expect<f32>(power(-1e30, 1)).toBe(0);
    expect<f32>(power(-3.4e38, 1)).toBe(0);
    expect<f32>(power(-(<f32>Infinity), 0.18)).toBe(0);
  });

  it("keeps NaN, whatever its payload", () => {
    for (let payload: u32 = 1; payload < 1 << 22; payload <<= 1) {
      const nan = reinterpret<f32>(0x7fc00000 | payload);
      expect<bool>(isNaN(power(nan, 1))).toBe(true);
    }
  });
});
