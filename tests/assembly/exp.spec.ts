import { constants, exp, expSixteen } from "../../assembly/simd/exp";

function power(x: f32): f32 {
  return f32x4.extract_lane(exp(f32x4.splat(x)), 2);
}

/** Error of e^x in units of the last place of the result, against float64. */
function error(x: f32): f64 {
  const truth = Math.exp(<f64>x);
  const place = Math.pow(2, Math.floor(Math.log2(truth)) - 23);
  return Math.abs(<f64>power(x) - truth) / place;
}

/** e^r by the kernel's coefficients, in float64. */
function polynomial(r: f64): f64 {
  let p: f64 = 0;
  for (let at: usize = 40; at >= 24; at -= 4) p = (p + <f64>load<f32>(constants + at)) * r;
  return (p + 1) * r + 1;
}

describe("exp", () => {
  it("has the coefficients of the minimax polynomial: a seventh digit that is wrong shows", () => {
    let worst: f64 = 0;
    const half = 0.5 * Math.LN2;
    for (let i = -4096; i <= 4096; i++) {
      const r = (half * <f64>i) / 4096;
      worst = max(worst, Math.abs(polynomial(r) / Math.exp(r) - 1));
    }
    expect<f64>(worst).toBeLessThan(3.15e-9);
  });

  it("is right on average wherever in its period: what rounding leaves is without a direction", () => {
    const sums = new Float64Array(16);
    const counts = new Float64Array(16);
    for (let i = 0; i < 80 * 4096; i++) {
      const x = -(<f32>i) / 4096;
      const truth = Math.exp(<f64>x);
      const n = <f64>x * Math.LOG2E;
      const part = <i32>Math.floor((n - Math.floor(n)) * 16);
      sums[part] += <f64>power(x) / truth - 1;
      counts[part]++;
    }
    let worst: f64 = 0;
    for (let part = 0; part < 16; part++) worst = max(worst, Math.abs(sums[part] / counts[part]));
    expect<f64>(worst).toBeLessThan(5e-9);
  });

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

  it("gives the same bits for sixteen side by side", () => {
    const at = memory.data(64);
    let different = 0;
    for (let i = 0; i < 4096; i++) {
      for (let j = 0; j < 16; j++) store<f32>(at + (j << 2), -(<f32>(i * 16 + j)) / 600);
      // Beside the numbers: what is left out, and what is no number.
      if (i % 7 == 0) store<f32>(at + ((i & 15) << 2), -(<f32>Infinity));
      if (i % 11 == 0) store<f32>(at + (((i + 5) & 15) << 2), NaN);
      const base: f32 = 0.25;
      const want = new StaticArray<u32>(16);
      for (let j = 0; j < 16; j++) {
        want[j] = reinterpret<u32>(power(load<f32>(at + (j << 2)) - base));
      }
      expSixteen(at, f32x4.splat(base));
      for (let j = 0; j < 16; j++) if (load<u32>(at + (j << 2)) != want[j]) different++;
    }
    expect<i32>(different).toBe(0);
  });
});
