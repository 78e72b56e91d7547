// mergeStates: attention over parts of the keys makes attention over all of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttendState, attendPacked, mergeStates, tensor } from "wasm-attention";
import { checkMerge, mergeProblems } from "./checks/merge";
import { holds } from "./checks/property";
import { engine, randomArray, variants } from "./engines";

for (const variant of variants) {
  test(`parts over ranges of keys merge into the whole, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(mergeProblems, (drawn) => checkMerge(attention, drawn));
  });

  test(`a part that saw nothing weighs nothing, whatever it holds, ${variant}`, async () => {
    const attention = await engine(variant);
    const part = (output: number, logSumExp: number) => ({
      output: tensor(Float32Array.of(output), [1, 1]),
      logSumExp: tensor(Float32Array.of(logSumExp), [1]),
    });
    const merge = (...parts: AttendState[]) => {
      const { output, logSumExp } = mergeStates(attention, parts);
      return [output.data[0], logSumExp.data[0]];
    };
    assert.deepEqual(merge(part(3, 5), part(NaN, -Infinity)), [3, 5]);
    assert.deepEqual(merge(part(NaN, -Infinity), part(Infinity, -Infinity)), [0, -Infinity]);
    assert.deepEqual(merge(part(7, -2)), [7, -2]);
    assert.deepEqual(merge(part(1, 1e30), part(5, 0)), [1, Math.fround(1e30)]);
    const [output, lse] = merge(part(1, 3), part(5, 3));
    assert.deepEqual([output, lse], [3, Math.fround(3 + Math.log(2))]);
    assert.deepEqual(merge(part(NaN, 0), part(1, 0))[0], NaN);
  });

  test(`packed results merge, and empty ones are nothing, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = tensor(randomArray(30, 1), [5, 2, 3]);
    const cumulativeQueries = [0, 2, 5];
    const whole = attendPacked(attention, x, x, x, { cumulativeQueries, logSumExp: true });
    const state = { output: whole.output, logSumExp: whole.logSumExp! };
    const merged = mergeStates(attention, [state], { layout: "BLHD" });
    assert.deepEqual(merged, { output: whole.output, logSumExp: whole.logSumExp });
    const none = {
      output: tensor(new Float32Array(0), [0, 4]),
      logSumExp: tensor(new Float32Array(0), [0]),
    };
    assert.deepEqual(mergeStates(attention, [none, none]), none);
  });
}
