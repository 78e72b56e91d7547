// npm run fuzz -- --minutes N [--build portable|relaxed] [--seed S]: random calls after random
// histories of memory, against float64. Prints the seed and the smallest failing case, and exits
// with 1.

import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { type AllocatedTensor, type PreparedLinear, prepareLinear, tensor } from "wasm-attention";
import { checkAttend } from "./checks/attend";
import { backwardProblems, checkBackward } from "./checks/backward";
import { cacheProblems, checkCache, checkCacheFailing, checkCacheLater } from "./checks/cache";
import { checkHostile, hostileProblems } from "./checks/hostile";
import { checkIntegers, integerProblems } from "./checks/integers";
import { checkMerge, mergeProblems } from "./checks/merge";
import { checkPacked, packedProblems } from "./checks/packed";
import { problems } from "./checks/problems";
import { failureOf } from "./checks/property";
import { checkQkv, qkvProblems } from "./checks/qkv";
import { checkQuantized, quantizedProblems } from "./checks/quantized";
import { checkResized, resizes } from "./checks/resized";
import { checkRotate, rotaryProblems } from "./checks/rotary";
import { checkVariants, variantProblems } from "./checks/variants";
import { enginesAtTheEnd } from "./ends";
import { engine, randomArray, variants, type Whole } from "./engines";
import { failing } from "./failing";

/** What lies in linear memory between the calls. */
interface Blocks {
  readonly tensors: AllocatedTensor[];
  readonly weights: PreparedLinear[];
}

const size = fc.integer({ min: 0, max: 60_000 });
const index = fc.integer({ min: 0, max: 20 });

/** A call that is checked against the truth, or something that moves memory about. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ attend: problems }) },
  { weight: 2, arbitrary: fc.record({ packed: packedProblems }) },
  { weight: 1, arbitrary: fc.record({ qkv: qkvProblems }) },
  { weight: 3, arbitrary: fc.record({ integers: integerProblems }) },
  { weight: 3, arbitrary: fc.record({ cache: cacheProblems }) },
  { weight: 2, arbitrary: fc.record({ later: cacheProblems }) },
  { weight: 1, arbitrary: fc.record({ failing: cacheProblems }) },
  { weight: 4, arbitrary: fc.record({ backward: backwardProblems }) },
  { weight: 1, arbitrary: fc.record({ merge: mergeProblems }) },
  { weight: 2, arbitrary: fc.record({ quantized: quantizedProblems }) },
  { weight: 2, arbitrary: fc.record({ rotate: rotaryProblems }) },
  { weight: 4, arbitrary: fc.record({ variant: variantProblems }) },
  { weight: 2, arbitrary: fc.record({ hostile: hostileProblems }) },
  { weight: 1, arbitrary: fc.record({ resize: resizes }) },
  { weight: 3, arbitrary: fc.record({ allocate: size }) },
  { weight: 2, arbitrary: fc.record({ prepare: fc.tuple(index, index) }) },
  { weight: 3, arbitrary: fc.record({ dispose: index }) },
  { weight: 1, arbitrary: fc.record({ refuse: index }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Where the blocks of a history lie: up to the end of so many bytes, or with 0 from the beginning on. */
const memory = fc.constantFrom(0, 0, 2 ** 25, 2 ** 32);
const history = fc.record({
  memory,
  /** By two, where it lies from the beginning on. */
  threads: fc.constantFrom(false, false, false, true),
  steps: fc.array(step, { maxLength: 12 }),
});

async function perform(attention: Whole, blocks: Blocks, step: Step): Promise<void> {
  if ("attend" in step) checkAttend(attention, step.attend);
  else if ("backward" in step) checkBackward(attention, step.backward);
  else if ("cache" in step) checkCache(attention, step.cache);
  else if ("later" in step) await checkCacheLater(attention, step.later);
  else if ("failing" in step) checkCacheFailing(attention, step.failing, allocations);
  else if ("packed" in step) checkPacked(attention, step.packed);
  else if ("qkv" in step) checkQkv(attention, step.qkv);
  else if ("integers" in step) await checkIntegers(attention, step.integers);
  else if ("merge" in step) checkMerge(attention, step.merge);
  else if ("quantized" in step) checkQuantized(attention, step.quantized);
  else if ("rotate" in step) checkRotate(attention, step.rotate);
  else if ("variant" in step) checkVariants(attention, step.variant);
  else if ("hostile" in step) checkHostile(attention, step.hostile);
  else if ("resize" in step) await checkResized(attention, step.resize);
  else if ("allocate" in step) {
    const made = attention.allocate([step.allocate]);
    made.data.fill(NaN);
    blocks.tensors.push(made);
  } else if ("prepare" in step) {
    const [rows, columns] = step.prepare.map((n) => n + 1);
    const weight = tensor(randomArray(rows * columns, rows), [rows, columns]);
    blocks.weights.push(prepareLinear(attention, weight, { order: "in,out" }));
  } else if ("dispose" in step) {
    blocks.tensors.splice(step.dispose, 1)[0]?.dispose();
    blocks.weights.splice(step.dispose, 1)[0]?.dispose();
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

const atTheEnd = await enginesAtTheEnd();
const allocations = await failing();
for (const build of builds) {
  // Workers take long to start: one engine for all histories.
  const threaded = await engine(build, { threads: 2 });
  if (threaded.threads !== 2) console.log(`${build}: one thread, ${threaded.threadsFallback}`);
  let seed = Number(values.seed);
  let calls = 0;
  const end = Date.now() + minutes * 60_000;
  for (; Date.now() < end; seed++) {
    const property = fc.asyncProperty(history, async ({ memory, threads, steps }) => {
      const shared = threads && !memory;
      const own = () => (memory ? atTheEnd(build, memory) : engine(build));
      const attention = shared ? threaded : await own();
      const { used } = attention.memory;
      const blocks: Blocks = { tensors: [], weights: [] };
      for (const next of steps) {
        await perform(attention, blocks, next);
        calls++;
      }
      for (const block of [...blocks.tensors, ...blocks.weights]) block.dispose();
      assert.equal(attention.memory.used, used);
      if (!shared) attention.dispose();
    });
    const failure = await failureOf(property, seed, 50);
    if (failure !== undefined) {
      console.log(`${build}: failed with --seed ${seed}\n${failure}`);
      process.exit(1);
    }
  }
  threaded.dispose();
  console.log(`${build}: ${calls} steps in ${minutes} minutes, none failed`);
}
