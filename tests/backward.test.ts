// attendBackward against the float64 reference, and that against finite differences.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backwardProblems, checkBackward, plain } from "./checks/backward";
import { pose, problems } from "./checks/problems";
import { holds } from "./checks/property";
import { engine, randomArray, variants } from "./engines";
import { attend } from "./reference";
import { attendBackward, type BackwardProblem } from "./reference-backward";

for (const variant of variants) {
  test(`attendBackward, every option at once, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(backwardProblems, (drawn) => checkBackward(attention, drawn), 200);
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
      const { gradients, reaches } = attendBackward(problem);
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
