// The same call gives the same bytes: whatever ran before, wherever its data lies, however its
// rows are cut; and both sides of the call frame agree on its layout.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createAttention, prepareLinear, tensor } from "wasm-attention";
import { type AttendState, attendBackward, linearBackward } from "wasm-attention/training";
import { LAYOUT } from "../build/layout";
import { engine, randomArray, variants } from "./engines";

const dims = [1, 3, 150, 40];
const [q, k, v] = [1, 2, 3].map((seed) => tensor(randomArray(3 * 150 * 40, seed), dims));

for (const variant of variants) {
  test(`bytes do not depend on what lay in memory before, ${variant}`, async () => {
    const attention = await engine(variant);
    const want = attention.attend(q, k, v, { causal: true, weights: true, logSumExp: true });
    for (const garbage of [NaN, Infinity, -1]) {
      const block = attention.allocate([400_000]);
      block.data.fill(garbage);
      block.dispose();
      const got = attention.attend(q, k, v, { causal: true, weights: true, logSumExp: true });
      assert.deepEqual(got, want);
    }
  });

  test(`bytes of gradients do not either, ${variant}`, async () => {
    const attention = await engine(variant);
    const options = {
      causal: true,
      softcap: 2,
      dropout: { probability: 0.2, seed: 4 },
      mask: randomArray(150 * 150, 6),
      sinks: [0, 1, 2],
    } as const;
    const gradients = { mask: true, sinks: true };
    const weight = prepareLinear(attention, tensor(randomArray(40 * 9, 7), [40, 9]), {
      order: "in,out",
      bias: randomArray(9, 8),
    });
    const dy = tensor(randomArray(3 * 150 * 9, 9), [1, 3, 150, 9]);
    const run = () => {
      const state = attention.attend(q, k, v, { ...options, logSumExp: true }) as AttendState;
      return [
        attendBackward(
          attention,
          { ...state, query: q, key: k, value: v, outputGradient: v },
          { ...options, gradients },
        ),
        linearBackward(attention, dy, q, weight),
      ];
    };
    const want = run();
    for (const garbage of [NaN, Infinity, -1]) {
      const block = attention.allocate([600_000]);
      block.data.fill(garbage);
      block.dispose();
      assert.deepEqual(run(), want);
    }
  });

  test(`a row's bytes do not depend on the rows beside it, ${variant}`, async () => {
    const attention = await engine(variant);
    const whole = attention.attend(q, k, v).output.data;
    for (const [from, to] of [
      [0, 1],
      [5, 70],
      [63, 66],
      [149, 150],
    ]) {
      const rows = tensor(
        Float32Array.from(
          [0, 1, 2].flatMap((h) => [...q.data.slice((h * 150 + from) * 40, (h * 150 + to) * 40)]),
        ),
        [1, 3, to - from, 40],
      );
      const part = attention.attend(rows, k, v).output.data;
      for (const h of [0, 1, 2]) {
        const size = (to - from) * 40;
        assert.deepEqual(
          part.slice(h * size, (h + 1) * size),
          whole.slice((h * 150 + from) * 40, (h * 150 + to) * 40),
        );
      }
    }
  });

  test(`all modules were built with the frames of this side, ${variant}`, () => {
    for (const name of [
      "core",
      "training",
      "positions",
      "cache",
      "blocks",
      "quantized",
      "integers",
    ]) {
      const module = new WebAssembly.Module(
        readFileSync(new URL(`../dist/workerd/${name}.${variant}.wasm`, import.meta.url)),
      );
      const memory = new WebAssembly.Memory({ initial: 1 });
      const caller = { scoreMod() {} };
      const table = new WebAssembly.Table({ element: "anyfunc", initial: 32 });
      const { exports } = new WebAssembly.Instance(module, { env: { memory, table }, caller });
      assert.equal((exports.layout as () => number)(), LAYOUT, name);
    }
  });
}

test("a module given by the caller is the one that runs", async () => {
  for (const variant of variants) {
    await engine(variant); // enables relaxed SIMD where it needs a flag
    const module = new WebAssembly.Module(
      readFileSync(new URL(`../dist/workerd/core.${variant}.wasm`, import.meta.url)),
    );
    const attention = await createAttention({ module });
    assert.equal(attention.variant, variant);
    assert.deepEqual(attention.attend(q, k, v), (await engine(variant)).attend(q, k, v));
    if (variant === "portable") assert.equal(attention.fused, false);
    else
      await assert.rejects(createAttention({ module, reproducible: true }), {
        message:
          'createAttention: "module" expected the portable build with reproducible: true, got the relaxed one',
      });
  }
});
