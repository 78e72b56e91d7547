import { tanh4 } from "../../assembly/simd/tanh";

function tanh(x: f32): f32 {
  return f32x4.extract_lane(tanh4(f32x4.splat(x)), 1);
}

describe("tanh", () => {
  it("is within 3 ulp, however small x", () => {
    let worst: f64 = 0;
    for (let i = 1; i < 300000; i++) {
      const x = <f32>Math.pow(2, (<f64>i / 300000) * 40 - 36);
      const truth = Math.tanh(<f64>x);
      const unit = Math.pow(2, Math.floor(Math.log2(truth)) - 23);
      worst = max(worst, Math.abs(<f64>tanh(x) - truth) / unit);
      if (tanh(-x) != -tanh(x)) expect<f32>(tanh(-x)).toBe(-tanh(x));
    }
    expect<f64>(worst).toBeLessThan(3);
  });

  it("is exactly 0 at 0 and ±1 from 9.1 to infinity", () => {
    expect<f32>(tanh(0)).toBe(0);
    for (let x: f32 = 9.1; x < 1e30; x *= 1.7) {
      expect<f32>(tanh(x)).toBe(1);
      expect<f32>(tanh(-x)).toBe(-1);
    }
    expect<f32>(tanh(<f32>Infinity)).toBe(1);
    expect<f32>(tanh(-(<f32>Infinity))).toBe(-1);
  });

  it("keeps NaN", () => {
    expect<bool>(isNaN(tanh(<f32>NaN))).toBe(true);
  });
});
