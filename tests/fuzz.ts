// npm run fuzz -- --minutes N [--build portable|relaxed] [--seed S]: random calls after random
// histories of memory, against float64. Prints the seed and the smallest failing case, and exits
// with 1.

import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { type AllocatedTensor, type Attention, type PreparedLinear, tensor } from "wasm-attention";
import { checkAttend } from "./checks/attend";
import { backwardProblems, checkBackward } from "./checks/backward";
import { checkMerge, mergeProblems } from "./checks/merge";
import { checkPacked, packedProblems } from "./checks/packed";
import { problems } from "./checks/problems";
import { checkRotate, rotaryProblems } from "./checks/rotary";
import { engine, randomArray, variants } from "./engines";

/** What lies in linear memory between the calls. */
interface Held {
  readonly tensors: AllocatedTensor[];
  readonly weights: PreparedLinear[];
}

const size = fc.integer({ min: 0, max: 60_000 });
const index = fc.integer({ min: 0, max: 20 });

/** A call that is held against the truth, or something that moves memory about. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ attend: problems }) },
  { weight: 2, arbitrary: fc.record({ packed: packedProblems }) },
  { weight: 4, arbitrary: fc.record({ backward: backwardProblems }) },
  { weight: 1, arbitrary: fc.record({ merge: mergeProblems }) },
  { weight: 2, arbitrary: fc.record({ rotate: rotaryProblems }) },
  { weight: 3, arbitrary: fc.record({ allocate: size }) },
  { weight: 2, arbitrary: fc.record({ prepare: fc.tuple(index, index) }) },
  { weight: 3, arbitrary: fc.record({ dispose: index }) },
  { weight: 1, arbitrary: fc.record({ refuse: index }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function take(attention: Attention, held: Held, step: Step): void {
  if ("attend" in step) checkAttend(attention, step.attend);
  else if ("backward" in step) checkBackward(attention, step.backward);
  else if ("packed" in step) checkPacked(attention, step.packed);
  else if ("merge" in step) checkMerge(attention, step.merge);
  else if ("rotate" in step) checkRotate(attention, step.rotate);
  else if ("allocate" in step) {
    const made = attention.allocate([step.allocate]);
    made.data.fill(NaN);
    held.tensors.push(made);
  } else if ("prepare" in step) {
    const [rows, columns] = step.prepare.map((n) => n + 1);
    const weight = tensor(randomArray(rows * columns, rows), [rows, columns]);
    held.weights.push(attention.prepareLinear(weight, { order: "in,out" }));
  } else if ("dispose" in step) {
    held.tensors.splice(step.dispose, 1)[0]?.dispose();
    held.weights.splice(step.dispose, 1)[0]?.dispose();
  } else {
    const x = tensor(new Float32Array(step.refuse), [step.refuse, 1]);
    assert.throws(() => attention.attend(x, x, x, { scale: NaN }), { argument: "scale" });
  }
}

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    build: { type: "string" },
    seed: { type: "string", default: `${Date.now() % 2 ** 31}` },
  },
});
const builds = variants.filter((variant) => !values.build || variant === values.build);
if (builds.length === 0) throw new Error(`no build named ${values.build}`);
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes takes a number above 0");

for (const build of builds) {
  let seed = Number(values.seed);
  let calls = 0;
  const end = Date.now() + minutes * 60_000;
  for (; Date.now() < end; seed++) {
    const property = fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (history) => {
      const attention = await engine(build);
      const { used } = attention.memory;
      const held: Held = { tensors: [], weights: [] };
      for (const next of history) {
        take(attention, held, next);
        calls++;
      }
      for (const kept of [...held.tensors, ...held.weights]) kept.dispose();
      assert.equal(attention.memory.used, used);
      attention.dispose();
    });
    const result = await fc.check(property, { seed, numRuns: 50, includeErrorInReport: true });
    if (result.failed) {
      console.log(`${build}: failed with --seed ${seed}\n${fc.defaultReportMessage(result)}`);
      process.exit(1);
    }
  }
  console.log(`${build}: ${calls} steps in ${minutes} minutes, none failed`);
}
