import {
  exponentiate,
  finiteBase,
  initStates,
  logSumExp,
  mergeState,
  layOutStates,
  rescaling,
  rowMaximum,
  States,
  updateState,
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

/** The states of `rows` rows that have seen nothing. */
function begun(rows: i32): States {
  const states = changetype<States>(heap.alloc(offsetof<States>()));
  layOutStates(states, heap.alloc(rows * 10 * 4), rows, 8);
  initStates(states, rows, -(<f32>Infinity));
  return states;
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
      const whole = begun(3);
      updateState(whole, 2, s.slice(0).dataStart, n);
      const first = begun(3);
      const second = begun(3);
      const parts = s.slice(0);
      updateState(first, 2, parts.dataStart, split);
      updateState(second, 2, parts.dataStart + (split << 2), n - split);
      mergeState(first, second, 2);
      expect<f32>(load<f32>(first.maxima, 8)).toBe(load<f32>(whole.maxima, 8));
      const sums = load<f32>(first.sums, 8) / load<f32>(whole.sums, 8);
      expect<f32>(Mathf.abs(sums - 1)).toBeLessThan(1e-6);
      // The other rows have seen nothing.
      expect<f32>(load<f32>(first.maxima)).toBe(-(<f32>Infinity));
      expect<f32>(load<f32>(first.sums)).toBe(0);
    }
  });

  it("a row that saw nothing has base 0, factor 0 and logSumExp −∞", () => {
    const none = -(<f32>Infinity);
    expect<f32>(finiteBase(none)).toBe(0);
    expect<f32>(finiteBase(-3)).toBe(-3);
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
