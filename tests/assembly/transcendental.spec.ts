import { cosine, exponential, logarithm, sine } from "../../assembly/transcendental";

describe("transcendentals in float64", () => {
  it("sin and cos are within 1e-15 to 2²⁴", () => {
    let worst: f64 = 0;
    let x: f64 = 1e-9;
    for (; x < 16777216; x *= 1.00037) {
      worst = max(worst, Math.abs(sine(x) - Math.sin(x)));
      worst = max(worst, Math.abs(cosine(-x) - Math.cos(x)));
      worst = max(worst, Math.abs(sine(-x) + Math.sin(x)));
      const angle = <f64>(<f32>x);
      worst = max(worst, Math.abs(cosine(angle) - Math.cos(angle)));
    }
    expect<f64>(worst).toBeLessThan(1e-15);
  });

  it("e^x is within 1e-15 of itself", () => {
    let worst: f64 = 0;
    for (let x: f64 = -690; x < 690; x += 0.0137) {
      worst = max(worst, Math.abs(exponential(x) / Math.exp(x) - 1));
    }
    expect<f64>(worst).toBeLessThan(1e-15);
    expect<f64>(exponential(0)).toBe(1);
  });

  it("ln x is within 1e-15 of itself", () => {
    let worst: f64 = 0;
    for (let x: f64 = 1e-300; x < 1e300; x *= 1.0071) {
      worst = max(worst, Math.abs(logarithm(x) / Math.log(x) - 1));
    }
    expect<f64>(worst).toBeLessThan(1e-15);
    expect<f64>(logarithm(1)).toBe(0);
  });
});
