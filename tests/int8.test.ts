// attend in integers of 8 bits: against the formulas, against float64 on inputs that are hard for few bits,
// and against what float32 gives with every option.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Tensor, tensor } from "wasm-attention";
import * as integers from "wasm-attention/integers";
import { checkEveryOption, checkIntegers, integerProblems } from "./checks/integers";
import { failureOf } from "./checks/property";
import { bitsOf, engine, randomTensor, variants, type Whole } from "./engines";
import { exact, hardInputs, relative, type Three } from "./hard-inputs";
import { attendedInBytes } from "./reference-int8";

const { int8, int8Lowering, precisionError } = integers;

const attended = (attention: Whole, [q, k, v]: Three): Float32Array =>
  attention.attend(q, k, v, { precision: int8 }).output.data;

const rowsOf = ({ data, dims }: Tensor) =>
  Array.from({ length: dims[0] as number }, (_, i) =>
    Float64Array.from(data.subarray(i * (dims[1] as number), (i + 1) * (dims[1] as number))),
  );

for (const variant of variants) {
  test(`one tile is the formulas, ${variant}`, async () => {
    using attention = await engine(variant);
    for (const [rows, keys, size, columns] of [
      [1, 1, 1, 1],
      [3, 5, 7, 9],
      [5, 127, 33, 8],
      [64, 128, 64, 64],
      [300, 121, 130, 31],
    ] as const) {
      const q = randomTensor([rows, size], 1, 2);
      const k = randomTensor([keys, size], 2, 2);
      const v = randomTensor([keys, columns], 3);
      // Means, and channels of other sizes, so that each part of the formulas matters.
      k.data.set(k.data.map((x, n) => (n % 5 ? x : 9 * x) + (n % 3)));
      v.data.set(v.data.map((x, n) => (n % columns ? x : 7 * x) + 0.5));
      const scale = Math.fround(size ** -0.5);
      const queries = rowsOf(q).map((row) => row.map((x) => Math.fround(x * scale)));
      const want = attendedInBytes(queries, rowsOf(k), rowsOf(v)).flatMap((row) => [...row]);
      const error = relative(attended(attention, [q, k, v]), want);
      // Of what float32 rounds, and of numbers between two integers that it lets go to the other.
      assert.ok(error <= 1e-3, `${[rows, keys, size, columns]}: ${error}`);
    }
  });

  test(`hard inputs stay within 3e-2, ${variant}`, async () => {
    using attention = await engine(variant);
    const within: Record<string, number> = { peaked: 4.5e-2, sink: 2e-2 };
    for (const [name, inputs] of Object.entries(hardInputs())) {
      const error = relative(attended(attention, inputs), exact(inputs));
      assert.ok(error <= (within[name] ?? 3e-2), `${name}: ${error}`);
      const found = precisionError(attention, ...inputs, { precision: int8 });
      assert.ok(Math.abs(found.relative - error) <= 1e-4, `${name}: ${found.relative}`);
      assert.ok(found.cosine > 0.999 && found.cosine < 1, `${name}: ${found.cosine}`);
    }
  });

  test(`every option is what it is in float32, ${variant}`, async () => {
    using attention = await engine(variant);
    await checkEveryOption(attention, "int8", 5e-2);
  });
}

test("drawn problems are as near as their scores let them be, in both precisions", async () => {
  for (const variant of variants) {
    using attention = await engine(variant);
    const seed = Number(process.env.SEED ?? 20261127);
    const property = fc.asyncProperty(integerProblems, (drawn) => checkIntegers(attention, drawn));
    assert.equal(await failureOf(property, seed, Number(process.env.RUNS ?? 60)), undefined);
  }
});

test("the same bits in both builds, on threads and in slices; rows cut stay as near", async () => {
  const [q, k, v] = [
    randomTensor([1, 3, 200, 40], 1),
    randomTensor([1, 3, 4200, 40], 2),
    randomTensor([1, 3, 4200, 24], 3),
  ] as const;
  // A row that has no integers, and a tile.
  q.data.fill(Number.NaN, 7 * 40, 8 * 40);
  k.data.fill(1e-35, 500 * 40, 501 * 40);
  const options = { precision: int8, logSumExp: true } as const;
  const all: unknown[] = [];
  for (const variant of variants) {
    for (const threads of [1, 2]) {
      using attention = await engine(variant, { threads });
      const { used } = attention.memory;
      const whole = attention.attend(q, k, v, options);
      all.push(bitsOf(whole), bitsOf(await attention.attendAsync(q, k, v, options)));
      const some = tensor(q.data.slice(8 * 40, 71 * 40), [1, 63, 40]);
      const head = (x: Tensor) =>
        tensor(x.data.slice(0, x.data.length / 3), [1, 4200, x.dims[3] as number]);
      const { output } = attention.attend(some, head(k), head(v), options);
      const float = attention.attend(some, head(k), head(v)).output.data;
      const error = relative(output.data, float);
      assert.ok(error > 1e-4 && error < 3e-2, `${error}`);
      assert.equal(attention.memory.used, used);
    }
  }
  for (const bits of all) assert.deepEqual(bits, all[0]);
});

test("how bytes are multiplied is known by its answer", async () => {
  using portable = await engine("portable");
  assert.equal(int8Lowering(portable), "int16");
  using relaxed = await engine("relaxed");
  assert.ok(["vnni", "sdot", "pairs"].includes(int8Lowering(relaxed)));
});

test("a key that nobody sees may hold anything, and sums at their largest do not overflow", async () => {
  using attention = await engine("relaxed");
  const [q, k, v] = [
    randomTensor([70, 32], 1),
    randomTensor([200, 32], 2),
    randomTensor([200, 32], 3),
  ];
  const mask = { data: new Uint8Array(200).fill(1), dims: [200] };
  mask.data[150] = 0;
  for (const x of [k, v]) x.data.fill(1e25, 150 * 32, 151 * 32);
  const run = (precision?: typeof int8) =>
    attention.attend(q, k, v, { mask, precision }).output.data;
  const error = relative(run(int8), run());
  assert.ok(error < 3e-2, `${error}`);

  const ones = (dims: number[], x = 1) =>
    tensor(new Float32Array((dims[0] as number) * (dims[1] as number)).fill(x), dims);
  for (const size of [64, 4096]) {
    const flat = attention.attend(ones([3, size]), ones([300, size]), ones([300, 8], -2), {
      precision: int8,
    });
    assert.ok(
      flat.output.data.every((x) => Math.abs(x + 2) < 1e-3),
      `${flat.output.data[0]}`,
    );
    // Half of the keys point away, and have no weight.
    const both = ones([300, size]);
    both.data.fill(-1, 150 * size);
    const values = ones([300, 8], 3);
    values.data.fill(-5, 150 * 8);
    const to = attention.attend(ones([3, size]), both, values, { precision: int8 });
    assert.ok(
      to.output.data.every((x) => Math.abs(x - 3) < 5e-2),
      `${to.output.data[0]}`,
    );
  }
});
