import { exp } from "../../assembly/simd/exp";

function power(x: f32): f32 {
  return f32x4.extract_lane(exp(f32x4.splat(x)), 2);
}

/** Error of e^x in units of the last place of the result, against float64. */
function error(x: f32): f64 {
  const truth = Math.exp(<f64>x);
  const place = Math.pow(2, Math.floor(Math.log2(truth)) - 23);
  return Math.abs(<f64>power(x) - truth) / place;
}

describe("exp", () => {
  it("is within 1.5 ulp from 0 to the smallest normal number", () => {
    let worst: f64 = 0;
    for (let i = 0; i < 87 * 4096; i++) worst = max(worst, error(-(<f32>i) / 4096));
    expect<f64>(worst).toBeLessThan(1.5);
  });

  it("is exactly 1 at 0", () => {
    expect<f32>(power(0)).toBe(1);
    expect<f32>(power(-0)).toBe(1);
  });

  it("is 0 below the normal numbers and at −∞", () => {
    expect<f32>(power(-88)).toBe(0);
    expect<f32>(power(-1e30)).toBe(0);
    expect<f32>(power(-3.4e38)).toBe(0);
    expect<f32>(power(-(<f32>Infinity))).toBe(0);
  });

  it("keeps NaN, whatever its payload", () => {
    for (let payload: u32 = 1; payload < 1 << 22; payload <<= 1) {
      const nan = reinterpret<f32>(0x7fc00000 | payload);
      expect<bool>(isNaN(power(nan))).toBe(true);
    }
  });
});
