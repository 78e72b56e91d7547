import {
  baseOf,
  exponentiate,
  logSumExp,
  rescaling,
  rowMaximum,
} from "../../assembly/softmax/state";

function scores(n: i32, spread: f32): Float32Array {
  const s = new Float32Array(n);
  let state: u32 = 99;
  for (let i = 0; i < n; i++) {
    state = state * 1664525 + 1013904223;
    s[i] = (<f32>(<i32>state) / 2147483648.0) * spread;
  }
  return s;
}

describe("softmax state", () => {
  it("rowMaximum is the largest score wherever it stands, and −∞ for none", () => {
    for (let n = 8; n <= 40; n += 8)
      for (let at = 0; at < n; at++) {
        const s = scores(n, 10);
        s[at] = 11;
        expect<f32>(rowMaximum(s.dataStart, n)).toBe(11);
      }
    const none = new Float32Array(8).fill(-(<f32>Infinity));
    expect<f32>(rowMaximum(none.dataStart, 8)).toBe(-(<f32>Infinity));
  });

  it("exponentiate leaves e^(s − base) and returns its sum, for every count", () => {
    for (let n = 8; n <= 128; n += 8) {
      const s = scores(n, 20);
      const before = s.slice(0);
      const sum = exponentiate(s.dataStart, n, 20);
      let truth: f64 = 0;
      for (let i = 0; i < n; i++) {
        const weight = Math.exp(<f64>before[i] - 20);
        truth += weight;
        expect<f64>(Math.abs(<f64>s[i] / weight - 1)).toBeLessThan(3e-6);
      }
      expect<f64>(Math.abs(<f64>sum / truth - 1)).toBeLessThan(3e-6);
    }
  });

  it("states of parts merge into the state of the whole", () => {
    const n = 64;
    for (let split = 8; split < n; split += 8) {
      const s = scores(n, 30);
      const whole = s.slice(0);
      const m = rowMaximum(s.dataStart, n);
      const l = exponentiate(whole.dataStart, n, m);
      const first = rowMaximum(s.dataStart, split);
      const second = rowMaximum(s.dataStart + (split << 2), n - split);
      const together = max(first, second);
      const l1 = exponentiate(s.dataStart, split, first) * rescaling(first, together);
      const l2 = exponentiate(s.dataStart + (split << 2), n - split, together);
      expect<f32>(together).toBe(m);
      expect<f32>(Mathf.abs((l1 + l2) / l - 1)).toBeLessThan(1e-6);
    }
  });

  it("a row that saw nothing has base 0, factor 0 and logSumExp −∞", () => {
    const none = -(<f32>Infinity);
    expect<f32>(baseOf(none)).toBe(0);
    expect<f32>(baseOf(-3)).toBe(-3);
    expect<f32>(rescaling(none, 5)).toBe(0);
    expect<f32>(logSumExp(none, 0)).toBe(none);
  });

  it("logSumExp is m + ln l", () => {
    expect<f32>(logSumExp(8, 1)).toBe(8);
    expect<f64>(Math.abs(<f64>logSumExp(8, 10) - 8 - Math.log(10))).toBeLessThan(1e-6);
  });

  it("huge scores leave the largest weight exactly 1", () => {
    const s = new Float32Array(8).fill(-1e30);
    s[3] = 1e30;
    const sum = exponentiate(s.dataStart, 8, 1e30);
    expect<f32>(sum).toBe(1);
    expect<f32>(s[3]).toBe(1);
  });
});
