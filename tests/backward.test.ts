// attendBackward against the float64 reference, and that against finite differences.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Tensor, tensor } from "wasm-attention";
import { type AttendGradients, type AttendState, attendBackward } from "wasm-attention/training";
import { backwardProblems, checkBackward, plain } from "./checks/backward";
import { pose, problems } from "./checks/problems";
import { holds } from "./checks/property";
import { engine, randomArray, variants } from "./engines";
import { attend } from "./reference";
import { type BackwardProblem, attendBackward as solve } from "./reference-backward";

for (const variant of variants) {
  test(`attendBackward, every option at once, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(backwardProblems, (drawn) => checkBackward(attention, drawn), 200);
  });
}

for (const variant of variants) {
  test(`NaN that a query sees comes through, and no further, ${variant}`, async () => {
    const attention = await engine(variant);
    const of = (seed: number) => tensor(randomArray(100 * 8, seed), [100, 8]);
    const [q, k, v, dy] = [1, 2, 3, 4].map(of);
    const bad = (x: Tensor, row: number, what = NaN) => {
      const data = x.data.slice();
      data[row * 8 + 3] = what;
      return tensor(data, [100, 8]);
    };
    const options = { causal: true, logSumExp: true } as const;
    const run = (dy: Tensor, q: Tensor, k: Tensor, v: Tensor) => {
      const state = attention.attend(q, k, v, options) as AttendState;
      return attendBackward(
        attention,
        { ...state, query: q, key: k, value: v, outputGradient: dy },
        options,
      );
    };
    const clean = run(dy, q, k, v);
    const whole = (
      got: AttendGradients,
      name: "queryGradient" | "keyGradient" | "valueGradient",
      broken: number[],
    ) => {
      const [a, b] = [got, clean].map((g) => g[name]?.data as Float32Array);
      for (let row = 0; row < 100; row++) {
        const [x, y] = [a, b].map((data) => data.subarray(row * 8, row * 8 + 8));
        if (broken.includes(row)) assert.ok(!x.every(Number.isFinite), `${name} of ${row}`);
        else assert.deepEqual(x, y, `${name} of ${row}`);
      }
    };
    const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);
    // Row 40 sees keys 0 to 40. (A query of Infinity gives scores of −∞, which leave out keys.)
    for (const got of [
      run(bad(dy, 40), q, k, v),
      run(bad(dy, 40, Infinity), q, k, v),
      run(dy, bad(q, 40), k, v),
    ]) {
      whole(got, "queryGradient", [40]);
      whole(got, "keyGradient", upTo(41));
      whole(got, "valueGradient", upTo(41));
    }
  });
}

for (const variant of variants) {
  test(`nothing to differentiate gives zeros, ${variant}`, async () => {
    const attention = await engine(variant);
    const of = (...dims: number[]) =>
      tensor(
        randomArray(
          dims.reduce((a, b) => a * b, 1),
          7,
        ),
        dims,
      );
    const options = { sinks: [1, 2], alibi: { slopes: [1, 2] }, logSumExp: true };
    const gradients = { sinks: true, alibi: true };
    const run = (query: Tensor, key: Tensor, more: object = {}) => {
      const state = attention.attend(query, key, key, { ...options, ...more }) as AttendState;
      const given = { ...options, ...more, gradients };
      return attendBackward(
        attention,
        { ...state, query, key, value: key, outputGradient: query },
        given,
      );
    };
    for (const [query, key] of [
      [of(2, 2, 3, 4), of(2, 2, 0, 4)],
      [of(2, 2, 0, 4), of(2, 2, 3, 4)],
      [of(0, 2, 3, 4), of(0, 2, 3, 4)],
    ]) {
      const got = run(query, key);
      assert.deepEqual(
        got.queryGradient,
        tensor(
          query.data.map(() => 0),
          query.dims,
        ),
      );
      assert.deepEqual(
        got.keyGradient,
        tensor(
          key.data.map(() => 0),
          key.dims,
        ),
      );
      assert.deepEqual(got.slopesGradient?.data, new Float32Array(2));
      assert.deepEqual(got.sinksGradient?.data, new Float32Array(2));
    }
    const none = { sinks: [-Infinity, -Infinity] };
    for (const hidden of [
      { ...none, keyLengths: [0, 0] },
      { ...none, queryLengths: [0, 0] },
      { ...none, mask: { data: new Uint8Array(1), dims: [1] } },
      { ...none, causal: true, queryOffset: -9 },
      { ...none, blockMask: { data: new Uint8Array(1), dims: [1, 1, 1, 1], size: 9 } },
    ]) {
      const x = of(2, 2, 5, 4);
      const got = run(x, x, hidden);
      for (const { data } of Object.values(got) as Tensor[]) {
        assert.ok(data.every((g) => g === 0));
      }
    }
  });

  test(`scores of 1e30 have finite gradients, ${variant}`, async () => {
    const attention = await engine(variant);
    const big = tensor(Float32Array.of(1e15, -1e15, 2e15), [3, 1]);
    const [v, dy] = [1, 2].map((seed) => tensor(randomArray(12, seed), [3, 4]));
    const state = attention.attend(big, big, v, { scale: 1, logSumExp: true }) as AttendState;
    const got = attendBackward(
      attention,
      { ...state, query: big, key: big, value: v, outputGradient: dy },
      { scale: 1 },
    );
    // One weight is 1, the others 0: nothing but that value has a gradient.
    const value = Float32Array.from({ length: 12 }, (_, at) => {
      const [row, d] = [at >> 2, at & 3];
      const rows = [[], [1], [0, 2]][row];
      return rows.reduce((sum, i) => sum + dy.data[4 * i + d], 0);
    });
    assert.deepEqual(got.valueGradient.data, value);
    const zero = new Float32Array(3);
    assert.deepEqual([got.queryGradient.data, got.keyGradient.data], [zero, zero]);
  });
}

/** The loss Σ outputGradient · output of a problem in float64. */
function loss(problem: BackwardProblem): number {
  const { output } = attend(problem);
  return problem.outputGradient.reduce((sum, g, i) => sum + g * output[i], 0);
}

test("the reference's gradients against finite differences", () => {
  holds(
    fc.record({ drawn: problems, at: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }) }),
    ({ drawn, at }) => {
      const { queries, keys } = drawn;
      const small = { ...plain(drawn), queries: 1 + (queries % 9), keys: 1 + (keys % 9) };
      // Where scores are large one weight takes all, and differences say nothing.
      const { problem: posed } = pose({ ...small, poison: undefined, amplitude: 1 });
      const { batch, heads, valueSize } = posed;
      const exact = (x: Float32Array) => Float64Array.from(x) as unknown as Float32Array;
      const size = batch * heads * small.queries * valueSize;
      const slopes = new Float64Array(batch * heads);
      const bias = new Float64Array(batch * heads * small.queries * small.keys);
      const problem: BackwardProblem & { sinks?: Float64Array | undefined } = {
        ...posed,
        query: exact(posed.query),
        key: exact(posed.key),
        value: exact(posed.value),
        sinks: posed.sinks && Float64Array.from(posed.sinks),
        outputGradient: randomArray(size, drawn.seed + 3),
        alibi: (b, h, i, j) =>
          (posed.alibi?.(b, h, i, j) ?? 0) +
          slopes[b * heads + h] * (posed.distance?.(b, i, j) ?? 0),
        bias: (b, h, i, j) =>
          posed.bias(b, h, i, j) + bias[((b * heads + h) * small.queries + i) * small.keys + j],
      };
      const { gradients, reaches } = solve(problem);
      const { query, key, value, sinks } = problem;
      const perHead = (sums: Float64Array) =>
        sums.subarray(0, heads).map((_, h) => {
          let sum = 0;
          for (let b = 0; b < batch; b++) sum += sums[b * heads + h];
          return sum;
        });
      const pairs = [
        ["query", query, gradients.query],
        ["key", key, gradients.key],
        ["value", value, gradients.value],
        ["bias", bias, gradients.bias],
        ["slopes", slopes, gradients.slopes],
        ...(sinks ? [["sinks", sinks, perHead(gradients.sinks)] as const] : []),
      ] as const;
      for (const [name, x, gradient] of pairs) {
        for (const random of at) {
          const index = random % x.length;
          const [there, step] = [x[index], 2 ** -17];
          if (!Number.isFinite(there)) continue;
          x[index] = there + step;
          const above = loss(problem);
          x[index] = there - step;
          const below = loss(problem);
          x[index] = there;
          const slope = (above - below) / (2 * step);
          const allowed = 1e-5 * (reaches[name] + 1);
          const error = Math.abs(slope - gradient[index]);
          assert.ok(error <= allowed, `${name}[${index}]: ${gradient[index]}, ${slope} by steps`);
        }
      }
    },
    150,
  );
});
