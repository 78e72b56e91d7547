// Weights of few bits: what each stands for, linear with them against float64, and what its bits depend on.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  linear,
  linearAsync,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import {
  dequantize,
  type PrepareQuantizedOptions,
  prepareQuantized,
} from "wasm-attention/quantized";
import { bitsOf, engine, randomArray, randomTensor, variants, type Whole } from "./engines";
import { once } from "./once";
import { shareOfTolerance } from "./reference";
import { linear as product } from "./reference-linear";
import { decoded, rounded } from "./reference-quantized";
import { storedWeights } from "./stored-weights";

const sizes = [
  [1, 1],
  [7, 15],
  [8, 16],
  [9, 17],
  [33, 255],
  [41, 257],
  [70, 601],
] as const;

/** [in, out] of what was given as [out, in]. */
function turned({ data, dims: [rows = 0, columns = 0] }: Tensor): Tensor {
  const moved = data.map((_, n) => data[(n % rows) * columns + Math.floor(n / rows)] as number);
  return tensor(moved, [columns, rows]);
}

/** Every weight of these sizes, prepared, and what it stands for, [in × out] in float64. */
function* prepared(
  attention: Whole,
  [outputs, inputs]: readonly [number, number],
  activations?: PrepareQuantizedOptions["activations"],
): Generator<[name: string, weight: PreparedLinear, truth: ArrayLike<number>, bias: Float32Array]> {
  const bias = randomArray(outputs, 9);
  for (const [name, weight, order] of storedWeights(outputs, inputs, outputs + inputs)) {
    const own = bias.slice(0, weight.dims[order === "in,out" ? 1 : 0]);
    const given = prepareQuantized(attention, weight, { order, bias: own, activations });
    yield [name, given, decoded(weight, order), own];
    given.dispose();
  }
  for (const numbers of ["int8", "int4"] as const) {
    for (const block of [undefined, 16, 64, 1024]) {
      const weight = randomTensor([outputs, inputs], 11);
      const options = { numbers, block, order: "out,in", bias, activations } as const;
      const given = prepareQuantized(attention, weight, options);
      const { data } = turned(dequantize(attention, given));
      yield [`${numbers} of blocks of ${block}`, given, data, bias];
      given.dispose();
    }
  }
}

type Product = ReturnType<typeof product>;
const solved = once<{ readonly want: Product; readonly naive: Product }>();

for (const variant of variants) {
  test(`a stored weight stands for what its format says, ${variant}`, async () => {
    using attention = await engine(variant);
    const { used } = attention.memory;
    for (const size of sizes) {
      for (const [name, weight, truth] of prepared(attention, size)) {
        const given = dequantize(attention, weight);
        assert.deepEqual(given.dims, weight.weightDims);
        const got = given.dims[0] === weight.outputSize ? turned(given).data : given.data;
        for (let i = 0; i < truth.length; i++) {
          const want = truth[i] as number;
          // With a zero point of float32 the difference is rounded before the product.
          const slack = name.includes("floats") ? 2 ** -22 * (Math.abs(want) + 1) : 0;
          const right = Math.abs((got[i] as number) - Math.fround(want)) <= slack;
          if (!right) assert.fail(`${name} of ${size}: ${got[i]} for ${want} at ${i}`);
        }
      }
    }
    assert.equal(attention.memory.used, used);
  });

  test(`linear with each, at every edge, ${variant}`, async () => {
    using attention = await engine(variant);
    const { used } = attention.memory;
    let worst = 0;
    for (const size of sizes) {
      for (const [name, weight, truth, bias] of prepared(attention, size)) {
        const { inputSize: inputs, outputSize: outputs } = weight;
        for (const rows of [1, 3, 4, 5, 65]) {
          const x = randomArray(rows * inputs, rows);
          const got = linear(attention, tensor(x, [rows, inputs]), weight).data;
          const halves = name.includes("F16");
          const factors = halves ? x : rounded(x, inputs);
          const args = [truth, bias, rows, inputs, outputs] as const;
          const { want, naive } = solved(`${name} of ${size}, ${rows}`, () => ({
            want: product(factors, ...args),
            naive: product(factors, ...args, Math.fround),
          }));
          const share = shareOfTolerance(got, want, [naive]);
          assert.ok(share <= 1, `${name} of ${size}, ${rows} rows: ${share} of the tolerance`);
          worst = Math.max(worst, share);
          // And no further from the truth than 16 bits may be: half a step of each input.
          if (halves) continue;
          const steps = Array.from({ length: Math.ceil(inputs / 256) }, (_, block) => {
            const within = x.subarray(256 * block, Math.min(256 * block + 256, inputs));
            return within.reduce((m, v) => Math.max(m, Math.abs(v)), 0) / 32767;
          });
          for (let o = 0; o < Math.min(3, outputs); o++) {
            let [exact, reach] = [bias[o] as number, 0];
            for (let i = 0; i < inputs; i++) {
              const factor = truth[i * outputs + o] as number;
              exact += (x[i] as number) * factor;
              reach += (Math.abs(factor) * (steps[i >> 8] as number)) / 2;
            }
            const far = Math.abs((got[o] as number) - exact);
            const float = 2 * Math.abs((naive[o] as number) - (want[o] as number)) + 1e-4;
            assert.ok(far <= 1.001 * reach + float, `${name} of ${size}: ${far} of ${reach}`);
          }
        }
      }
    }
    assert.ok(worst > 0);
    assert.equal(attention.memory.used, used);
  });

  test(`x rounded to 14 bits and to 8, ${variant}`, async () => {
    using attention = await engine(variant);
    const { used } = attention.memory;
    const settings = [
      ["int14", 8191],
      ["int8", 63],
    ] as const;
    for (const [activations, most] of settings) {
      for (const size of [
        [1, 1],
        [9, 17],
        [11, 601],
      ] as const) {
        for (const [name, weight, truth, bias] of prepared(attention, size, activations)) {
          if (name.includes("F16")) continue;
          const { inputSize: inputs, outputSize: outputs } = weight;
          const stored = dequantize(attention, weight);
          const got = stored.dims[0] === outputs ? turned(stored).data : stored.data;
          for (let i = 0; i < truth.length; i++) {
            const want = truth[i] as number;
            const slack = 2 ** -21 * (Math.abs(want) + 1);
            if (!(Math.abs((got[i] as number) - want) <= slack))
              assert.fail(`${name} of ${size} at ${i}`);
          }
          for (const rows of [1, 3, 5]) {
            const x = randomArray(rows * inputs, rows);
            const result = linear(attention, tensor(x, [rows, inputs]), weight).data;
            const args = [truth, bias, rows, inputs, outputs] as const;
            const factors = rounded(x, inputs, most);
            const naive = product(factors, ...args, Math.fround);
            const share = shareOfTolerance(result, product(factors, ...args), [naive]);
            const where = `${name} of ${size}, ${rows} rows, ${activations}`;
            assert.ok(share <= 1, `${where}: ${share} of the tolerance`);
          }
        }
      }
    }
    assert.equal(attention.memory.used, used);
  });

  test(`in float32 the bits are those of linear with what it stands for, ${variant}`, async () => {
    using attention = await engine(variant);
    for (const size of sizes) {
      for (const [name, weight, , bias] of prepared(attention, size, "float32")) {
        const { inputSize: inputs } = weight;
        const float = dequantize(attention, weight);
        const order = float.dims[0] === weight.outputSize ? "out,in" : "in,out";
        using same = prepareLinear(attention, float, { order, bias });
        for (const rows of [1, 4, 66]) {
          const x = randomTensor([rows, inputs], rows);
          const [got, want] = [weight, same].map((w) => linear(attention, x, w).data);
          assert.deepEqual(got, want, `${name} of ${size}, ${rows} rows`);
        }
      }
    }
  });

  test(`a row's bits are its own, whatever is beside it and on any threads, ${variant}`, async () => {
    const [inputs, outputs] = [600, 1700];
    const data = randomArray(inputs * outputs, 1);
    const x = randomArray(67 * inputs, 2);
    // Parts that have no integers among those that have.
    x.fill(1e-35, 3 * inputs, 3 * inputs + 256);
    x[64 * inputs + 300] = Number.NaN;
    for (const numbers of ["int8", "int4"] as const) {
      const wanted: unknown[] = [];
      for (const threads of [1, 2]) {
        using attention = await engine(variant, { threads });
        const weight = tensor(data, [inputs, outputs]);
        using w = prepareQuantized(attention, weight, { numbers, order: "in,out" });
        const all = tensor(x, [67, inputs]);
        const whole = linear(attention, all, w).data;
        const row = (from: number, count: number) =>
          tensor(x.slice(from * inputs, (from + count) * inputs), [count, inputs]);
        for (const [from, count] of [
          [0, 1],
          [3, 1],
          [2, 4],
          [60, 7],
          [64, 1],
          [64, 3],
        ] as const) {
          const { data: part } = linear(attention, row(from, count), w);
          const same = whole.slice(from * outputs, (from + count) * outputs);
          assert.deepEqual(
            bitsOf({ part: tensor(part, [part.length]) }),
            bitsOf({ part: tensor(same, [same.length]) }),
            `${numbers}, rows ${from}`,
          );
        }
        const later = await linearAsync(attention, all, w);
        wanted.push(bitsOf({ whole: tensor(whole, [67, outputs]) }), bitsOf({ whole: later }));
      }
      for (const bits of wanted) assert.deepEqual(bits, wanted[0]);
    }
  });
}

test("integers give the same bits in both builds", async () => {
  const results = [];
  for (const variant of variants) {
    using attention = await engine(variant);
    const each = [];
    for (const activations of ["int16", "int14", "int8"] as const) {
      for (const size of [
        [1, 1],
        [9, 17],
        [33, 255],
        [11, 601],
      ] as const) {
        for (const [name, weight] of prepared(attention, size, activations)) {
          // Halves are multiplied in float32.
          if (name.includes("F16")) continue;
          for (const rows of [1, 5]) {
            const x = randomTensor([rows, weight.inputSize], 3);
            x.data.fill(NaN, 0, activations === "int8" && rows > 1 ? 1 : 0);
            each.push(bitsOf({ [`${name} ${activations}`]: linear(attention, x, weight) }));
          }
        }
      }
    }
    results.push(each);
  }
  assert.deepEqual(results[0], results[1]);
});
