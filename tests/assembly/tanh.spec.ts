import { tanh } from "../../assembly/simd/tanh";

function at(x: f32): f32 {
  return f32x4.extract_lane(tanh(f32x4.splat(x)), 1);
}

describe("tanh", () => {
  it("is within 6 ulp, however small, and odd", () => {
    let worst: f64 = 0;
    for (let i = 1; i < 200000; i++) {
      const x = <f32>Math.pow(2, (<f64>i / 200000) * 43 - 40);
      const truth = Math.tanh(<f64>x);
      const unit = Math.pow(2, Math.floor(Math.log2(truth)) - 23);
      worst = max(worst, Math.abs(<f64>at(x) - truth) / unit);
      if (at(-x) != -at(x)) expect<f32>(at(-x)).toBe(-at(x));
    }
    expect<f64>(worst).toBeLessThan(6);
  });

  it("is 1 from 8 to infinity, but for 2⁻²²", () => {
    for (let x: f32 = 8; x < 1e30; x *= 1.7) {
      expect<f64>(Math.abs(<f64>at(x) - 1)).toBeLessThan(2.4e-7);
      expect<f32>(at(-x)).toBe(-at(x));
    }
    expect<f32>(at(<f32>Infinity)).toBe(at(8));
    expect<f32>(at(0)).toBe(0);
  });

  it("keeps NaN", () => {
    expect<bool>(isNaN(at(<f32>NaN))).toBe(true);
  });
});
