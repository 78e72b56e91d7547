// A drawn problem put to attend in integers and held against what float32 gives: what is finite there is here,
// and as near as a score's error lets it be.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { AttendOptions, Tensor } from "wasm-attention";
import { int8, int16 } from "wasm-attention/integers";
import { type AttendCase, attendCases } from "../battery/attend";
import { attendOperation } from "../battery/battery";
import * as wasm from "../battery/package";
import { bitsOf, type Whole } from "../engines";
import { rootOf } from "../hard-inputs";
import { tensorIn } from "./buffers";
import { arrange, dimsOf, pose, problems } from "./problems";

export const integerProblems = fc.record({
  precision: fc.constantFrom("int16" as const, "int8" as const),
  drawn: problems,
});
type Drawn = typeof integerProblems extends fc.Arbitrary<infer T> ? T : never;

/** Of a weight, and of a score as a share of ‖q‖·‖k‖. */
const errors = { int16: 2e-4, int8: 2e-2 };

export async function checkIntegers(attention: Whole, { precision, drawn }: Drawn): Promise<void> {
  const { problem, options: posed } = pose(drawn);
  const { batch, heads, keyValueHeads, queries, keys, headSize, valueSize } = problem;
  const { layout, rank } = drawn;
  const before = attention.memory.used;
  const place = (data: Float32Array, count: number, rows: number, size: number) =>
    tensorIn(
      drawn.buffers,
      attention,
      arrange(data, count, rows, size, layout),
      dimsOf(layout, rank, batch, count, rows, size),
    );
  const placed = [
    place(problem.query, heads, queries, headSize),
    place(problem.key, keyValueHeads, keys, headSize),
    place(problem.value, keyValueHeads, keys, valueSize),
  ] as const;
  const [[q], [k], [v]] = placed;
  const { out: _, ...options } = posed;
  const asked: AttendOptions = { ...options, precision: { int8, int16 }[precision] };
  const want = attention.attend(q, k, v, options);
  const got = attention.attend(q, k, v, asked);
  assert.deepEqual(bitsOf(await attention.attendAsync(q, k, v, asked)), bitsOf(got));

  const norms = (drawn.amplitude * 2 * headSize) / 3;
  const far = errors[precision] * (1 + norms * Math.abs(problem.scale));
  for (const name of ["output", "weights", "scores", "logSumExp"] as const) {
    const [a, b] = [got[name], want[name]];
    assert.deepEqual(a?.dims, b?.dims);
    let squares = 0;
    for (const [i, value] of (b?.data ?? []).entries()) {
      const own = a?.data[i] as number;
      const same = Number.isFinite(value) ? Number.isFinite(own) : Object.is(own, value);
      assert.ok(same, `${name}: ${own} for ${value} at ${i}`);
      if (Number.isFinite(value)) squares += (own - value) ** 2;
    }
    // Values are below 1, and what is left of dropout is more.
    const error = name === "output" ? Math.sqrt(squares / Math.max(1, b?.data.length ?? 0)) : 0;
    assert.ok(error <= (2 * far) / (1 - drawn.dropout), `${precision}: ${error} of ${far}`);
  }
  for (const [, whole] of placed) whole?.dispose();
  assert.equal(attention.memory.used, before, "memory.used is back where it was");
}

/** Every case of the battery gives what it gives in float32: as many results, finite where they are, within `bound`. */
export async function checkEveryOption(
  attention: Whole,
  precision: "int16" | "int8",
  bound: number,
): Promise<void> {
  const run = async (of: AttendCase, index: number, asked?: "int16" | "int8") => {
    const results = await attendOperation(of, index, asked)[1](attention, wasm);
    return [...results].filter(Boolean) as Tensor[];
  };
  for (const [index, one] of attendCases.entries()) {
    const [got, want] = [await run(one, index, precision), await run(one, index)];
    assert.equal(got.length, want.length);
    for (const [n, { data }] of want.entries()) {
      const own = (got[n] as Tensor).data;
      const finite = (value: number, i: number) => {
        const same = Number.isFinite(value) === Number.isFinite(own[i]);
        if (!same && !Object.is(value, own[i])) assert.fail(`${one[0]}: ${own[i]} for ${value}`);
        return Number.isFinite(value);
      };
      const at = [...data.keys()].filter((i) => finite(data[i] as number, i));
      const error = rootOf(at.map((i) => (own[i] as number) - (data[i] as number)));
      const whole = rootOf(at.map((i) => data[i] as number));
      assert.ok(error <= bound * whole, `${one[0]}, result ${n}: ${error / whole}`);
    }
  }
}
