// linearBackward against float64 at every kind of edge, in both orders; prepared weights updated in
// place.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DisposedError,
  linear,
  MemoryError,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { linearBackward } from "wasm-attention/training";
import { createWhole, engine, randomArray, variants, type Whole } from "./engines";
import { shareOfTolerance } from "./reference";
import { linear as product } from "./reference-linear";

const rowCounts = [0, 1, 3, 4, 5, 63, 65, 130, 300];
const inputs = [1, 2, 7, 8, 9, 31, 65, 257];
const outputs = [1, 3, 8, 9, 31, 260];

/** [rows, columns] → [columns, rows]. */
const turned = (data: Float32Array, rows: number, columns: number) =>
  Float32Array.from(data, (_, k) => data[(k % rows) * columns + Math.floor(k / rows)]);

for (const variant of variants) {
  test(`linearBackward at every edge, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    let worst = 0;
    for (const ins of inputs)
      for (const outs of outputs) {
        const weight = randomArray(ins * outs, ins + outs);
        const bias = outs % 2 ? randomArray(outs, 5) : undefined;
        const inOut = prepareLinear(attention, tensor(weight, [ins, outs]), {
          order: "in,out",
          bias,
        });
        const outIn = prepareLinear(attention, tensor(turned(weight, ins, outs), [outs, ins]), {
          order: "out,in",
          bias,
        });
        for (const rows of rowCounts) {
          const x = randomArray(rows * ins, rows + 1);
          const dy = randomArray(rows * outs, rows + 2);
          const got = linearBackward(
            attention,
            tensor(dy, [rows, outs]),
            tensor(x, [rows, ins]),
            inOut,
          );
          assert.deepEqual(got.inputGradient?.dims, [rows, ins]);
          assert.deepEqual(got.weightGradient.dims, [ins, outs]);
          assert.deepEqual(got.biasGradient?.dims, bias && [outs]);
          const other = linearBackward(
            attention,
            tensor(dy, [1, rows, outs]),
            tensor(x, [1, rows, ins]),
            outIn,
          );
          assert.deepEqual(other.inputGradient?.dims, [1, rows, ins]);
          assert.deepEqual(other.inputGradient?.data, got.inputGradient?.data);
          assert.deepEqual(other.weightGradient.dims, [outs, ins]);
          const ones = new Float32Array(rows).fill(1);
          const [forX, xT] = [turned(weight, ins, outs), turned(x, rows, ins)];
          const results = [
            [got.inputGradient?.data, dy, forX, rows, outs, ins],
            [got.weightGradient.data, xT, dy, ins, rows, outs],
            [turned(other.weightGradient.data, outs, ins), xT, dy, ins, rows, outs],
            ...(bias ? [[got.biasGradient?.data, ones, dy, 1, rows, outs] as const] : []),
          ] as const;
          for (const [data, a, b, m, k, n] of results) {
            assert.ok(data);
            const truth = product(a, b, undefined, m, k, n);
            const naive = product(a, b, undefined, m, k, n, Math.fround);
            worst = Math.max(worst, shareOfTolerance(data, truth, [naive]));
          }
        }
        inOut.dispose();
        outIn.dispose();
      }
    assert.ok(worst <= 1, `${worst} of the tolerance`);
    assert.equal(attention.memory.used, used);
  });

  test(`linearBackward writes and adds where it is told, ${variant}`, async () => {
    const attention = await engine(variant);
    const weight = tensor(randomArray(42, 1), [6, 7]);
    using prepared = prepareLinear(attention, weight, { order: "in,out", bias: randomArray(7, 2) });
    const [x, dy] = [tensor(randomArray(30, 3), [5, 6]), tensor(randomArray(35, 4), [5, 7])];
    const want = linearBackward(attention, dy, x, prepared);
    assert.ok(want.inputGradient && want.biasGradient);
    using input = attention.allocate([5, 6]);
    const out = { input, weight: new Float32Array(42), bias: tensor(new Float32Array(7), [7]) };
    const got = linearBackward(attention, dy, x, prepared, { out });
    assert.equal(got.inputGradient, input);
    assert.equal(got.weightGradient.data, out.weight);
    assert.deepEqual(input.data, want.inputGradient.data);
    assert.deepEqual(out.weight, want.weightGradient.data);
    assert.deepEqual(out.bias.data, want.biasGradient.data);
    linearBackward(attention, dy, x, prepared, { out, accumulate: true });
    assert.deepEqual(
      input.data,
      want.inputGradient.data.map((g) => 2 * g),
    );
    assert.deepEqual(
      out.weight,
      want.weightGradient.data.map((g) => 2 * g),
    );
    assert.deepEqual(
      out.bias.data,
      want.biasGradient.data.map((g) => 2 * g),
    );
    const without = linearBackward(attention, dy, x, prepared, { gradients: { input: false } });
    assert.equal(without.inputGradient, undefined);
    assert.deepEqual(without.weightGradient, want.weightGradient);
  });

  test(`a prepared weight is updated in place, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = tensor(randomArray(30, 3), [5, 6]);
    for (const order of ["in,out", "out,in"] as const) {
      const dims = order === "in,out" ? [6, 7] : [7, 6];
      const [a, b] = [1, 2].map((seed) => tensor(randomArray(42, seed), dims));
      const [p, q] = [3, 4].map((seed) => randomArray(7, seed));
      using first = prepareLinear(attention, a, { order, bias: p });
      using second = prepareLinear(attention, b, { order, bias: q });
      const { used, reserved } = attention.memory;
      first.update(b, q);
      assert.deepEqual(linear(attention, x, first), linear(attention, x, second));
      assert.equal(attention.memory.used, used);
      assert.equal(attention.memory.reserved, reserved);
    }
  });
}

/** Where the arguments of a call may lie. */
const places = {
  plain: (_: Whole, data: Float32Array, dims: number[]) => tensor(data.slice(), dims),
  allocated: (attention: Whole, data: Float32Array, dims: number[]) => {
    const made = attention.allocate(dims);
    made.data.set(data);
    return made;
  },
  "a view": (attention: Whole, data: Float32Array, dims: number[]) => {
    const made = attention.allocate([data.length + 3]).view(3, dims);
    made.data.set(data);
    return made;
  },
};

for (const [kind, place] of Object.entries(places)) {
  test(`results over inputs: all are read before any is written, ${kind}`, async () => {
    const attention = await engine("portable");
    const dims = [40, 40];
    const [w, xs, dys] = [1, 2, 3].map((seed) => randomArray(1600, seed)) as Float32Array[];
    using prepared = prepareLinear(attention, tensor(w, dims), {
      order: "in,out",
      bias: randomArray(40, 4),
    });
    const want = linearBackward(attention, tensor(dys, dims), tensor(xs, dims), prepared);
    for (const order of [0, 1]) {
      for (const accumulate of [false, true]) {
        const [x, dy] = [place(attention, xs, dims), place(attention, dys, dims)];
        const before = [x, dy].map(({ data }) => data.slice()) as [Float32Array, Float32Array];
        const out = order ? { input: x, weight: dy } : { input: dy, weight: x };
        const got = linearBackward(attention, dy, x, prepared, { out, accumulate });
        const sum = (gradient: Tensor | undefined, index: number) =>
          gradient?.data.map((g, i) => (accumulate ? (before[index]?.[i] as number) + g : g));
        assert.deepEqual(got.inputGradient?.data, sum(want.inputGradient, order ? 0 : 1));
        assert.deepEqual(got.weightGradient.data, sum(want.weightGradient, order ? 1 : 0));
        assert.deepEqual(got.biasGradient, want.biasGradient);
      }
    }
  });
}

test("linearBackward that fails has written and added nothing", async () => {
  const [ins, outs, rows] = [8, 256, 1000];
  const x = tensor(randomArray(rows * ins, 1), [rows, ins]);
  const dy = tensor(randomArray(rows * outs, 2), [rows, outs]);
  const weight = tensor(randomArray(ins * outs, 3), [ins, outs]);
  let failed = 0;
  for (let kilobytes = 256; ; kilobytes += 64) {
    const attention = await createWhole({
      reproducible: true,
      maximumMemory: kilobytes * 1024,
    });
    using prepared = prepareLinear(attention, weight, {
      order: "in,out",
      bias: new Float32Array(outs),
    });
    const out = {
      input: new Float32Array(rows * ins).fill(1),
      weight: new Float32Array(ins * outs).fill(1),
      bias: new Float32Array(outs).fill(1),
    };
    const { used } = attention.memory;
    try {
      linearBackward(attention, dy, x, prepared, { out, accumulate: true });
      break;
    } catch (error) {
      assert.ok(error instanceof MemoryError, String(error));
      for (const target of Object.values(out)) assert.ok(target.every((number) => number === 1));
      assert.equal(attention.memory.used, used);
      failed++;
    }
  }
  assert.ok(failed > 10, "at every block in turn");
});

test("a weight is not updated when it is disposed, in use, or from inside a scoreMod", async () => {
  const attention = await engine("portable");
  const weight = tensor(randomArray(16, 1), [4, 4]);
  const x = tensor(randomArray(8, 2), [2, 4]);
  using prepared = prepareLinear(attention, weight, { order: "in,out" });
  const want = linear(attention, x, prepared);
  const update = () => prepared.update(tensor(randomArray(16, 3), [4, 4]));
  assert.throws(() => attention.attend(x, x, x, { scoreMod: update }), {
    message:
      'update: "attention" expected an engine that is not running a scoreMod, got a call from inside it',
  });
  assert.deepEqual(linear(attention, x, prepared), want);
  prepared.dispose();
  assert.throws(update, DisposedError);
  const other = prepareLinear(attention, weight, { order: "in,out" });
  attention.dispose();
  assert.throws(() => other.update(weight), DisposedError);
});
