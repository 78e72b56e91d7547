// Options that are not what they seem: the result is that of the same options said plainly, or there is
// a typed error; never something in between.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type AttendOptions, type AttendResult, type Attention, tensor } from "wasm-attention";
import { arrange, dimsOf, pose, problems } from "./problems";

const unknown = fc.constantFrom(
  ...["is_causal", "isCausal", "casual", "attn_mask", "key_padding_mask", "dropout_p", "keyLength"],
  ...["windows", "Mask", "softCap", "constructor", "__proto__x", ""],
);

export const hostileProblems = fc.record({
  drawn: problems,
  trick: fc.constantFrom("second answer", "inherited", "accessors", "engine", "throws", "unknown"),
  name: unknown,
  bad: fc.constantFrom<unknown>(NaN, null, -1, 2 ** 40, "x", {}, new Float32Array(3), [9, 9, 9, 9]),
});
type Hostile = typeof hostileProblems extends fc.Arbitrary<infer T> ? T : never;

/** The same options, each said by `answer`, which is told how often it was asked before. */
function answering(
  options: AttendOptions,
  answer: (value: unknown, before: number) => unknown,
): AttendOptions {
  const result = {};
  for (const [name, value] of Object.entries(options)) {
    let before = 0;
    Object.defineProperty(result, name, {
      enumerable: true,
      get: () => answer(value, before++),
    });
  }
  return result;
}

const mine = new Error("of mine");

function disguised(attention: Attention, options: AttendOptions, how: Hostile): AttendOptions {
  const { trick, bad } = how;
  if (trick === "inherited") return Object.create(options);
  if (trick === "accessors") return answering(options, (value) => value);
  if (trick === "second answer") {
    return answering(options, (value, before) => (before === 0 ? value : bad));
  }
  if (trick === "throws") {
    return answering(options, () => {
      throw mine;
    });
  }
  if (trick === "engine") {
    // Whoever is asked uses the engine: memory moves while the call is being written.
    const x = tensor(Float32Array.of(1, 2, 3, 4), [2, 2]);
    return answering(options, (value) => {
      attention.attend(x, x, x, { causal: true, logSumExp: true });
      attention.allocate([5000]).dispose();
      return value;
    });
  }
  return { ...options, [how.name]: bad };
}

export function checkHostile(attention: Attention, how: Hostile): void {
  const { drawn, trick } = how;
  const { problem, options } = pose({ ...drawn, out: "none", modified: false });
  const { batch, heads, keyValueHeads, queries, keys, headSize, valueSize } = problem;
  const { layout, rank } = drawn;
  const laid = (data: Float32Array, count: number, rows: number, size: number) =>
    tensor(
      arrange(data, count, rows, size, layout),
      dimsOf(layout, rank, batch, count, rows, size),
    );
  const query = laid(problem.query, heads, queries, headSize);
  const key = laid(problem.key, keyValueHeads, keys, headSize);
  const value = laid(problem.value, keyValueHeads, keys, valueSize);
  const given = Object.fromEntries(
    Object.entries(options).filter(([, option]) => option !== undefined),
  );
  const want = attention.attend(query, key, value, given);
  const { used } = attention.memory;
  let got: AttendResult | undefined;
  try {
    got = attention.attend(query, key, value, disguised(attention, given, how));
  } catch (error) {
    if (trick === "throws") assert.equal(error, mine);
    // By name: an engine at the end of memory is of another copy of the package.
    else if (trick === "unknown") assert.equal((error as Error).name, "ArgumentError", `${error}`);
    else assert.match((error as Error).name, /^(Argument|Memory|Disposed)Error$/, `${error}`);
    // Only what cannot be meant is refused.
    assert.ok(trick !== "inherited" && trick !== "accessors", `${error}`);
  }
  assert.notEqual(got && trick, "unknown", `${how.name} passed in silence`);
  if (got) assert.deepEqual(got, want);
  assert.equal(attention.memory.used, used);
  assert.deepEqual(attention.attend(query, key, value, given), want);
}
