import { softcap } from "../../assembly/simd/softcap";

function capped(s: f32, cap: f32): f32 {
  return f32x4.extract_lane(softcap(f32x4.splat(s), f32x4.splat(cap)), 1);
}

describe("softcap", () => {
  it("is within 2.25 ulp, however small or near the cap", () => {
    for (let cap: f32 = 0.37; cap < 1000; cap *= 7) {
      let worst: f64 = 0;
      for (let i = 1; i < 100000; i++) {
        const s = cap * <f32>Math.pow(2, (<f64>i / 100000) * 40 - 36);
        const truth = <f64>cap * Math.tanh(<f64>s / <f64>cap);
        const unit = Math.pow(2, Math.floor(Math.log2(truth)) - 23);
        worst = max(worst, Math.abs(<f64>capped(s, cap) - truth) / unit);
        if (capped(-s, cap) != -capped(s, cap)) expect<f32>(capped(-s, cap)).toBe(-capped(s, cap));
      }
      expect<f64>(worst).toBeLessThan(2.25);
    }
  });

  it("rounds once near the cap", () => {
    let worst: f64 = 0;
    for (let i = 0; i < 100000; i++) {
      const s: f32 = 90 + <f32>i * 0.002;
      const truth = 30 * Math.tanh(<f64>s / 30);
      worst = max(worst, Math.abs(<f64>capped(s, 30) - truth) / Math.pow(2, -19));
    }
    expect<f64>(worst).toBeLessThan(0.53);
  });

  it("is exactly 0 at 0 and the cap from 9.1 caps to infinity", () => {
    expect<f32>(capped(0, 2)).toBe(0);
    for (let s: f32 = 18.2; s < 1e30; s *= 1.7) {
      expect<f32>(capped(s, 2)).toBe(2);
      expect<f32>(capped(-s, 2)).toBe(-2);
    }
    expect<f32>(capped(<f32>Infinity, 2)).toBe(2);
    expect<f32>(capped(-(<f32>Infinity), 2)).toBe(-2);
  });

  it("keeps NaN", () => {
    expect<bool>(isNaN(capped(<f32>NaN, 5))).toBe(true);
  });
});
