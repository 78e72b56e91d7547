// What is particular about weights of few bits: inputs that have no integers, how numbers are rounded, and the
// layer made of them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { linear, MultiHeadAttention, prepareLinear, tensor } from "wasm-attention";
import { dequantize, prepareQuantized, type StoredWeight } from "wasm-attention/quantized";
import { engine, randomArray, randomTensor } from "./engines";
import { dataFile, needsData } from "./models/data";

test("NaN, infinities, the smallest and the largest numbers as in float32", async () => {
  using attention = await engine("portable");
  const [inputs, outputs] = [300, 19];
  const weight = randomTensor([outputs, inputs], 5);
  for (const numbers of ["int8", "int4"] as const) {
    using few = prepareQuantized(attention, weight, { numbers, order: "out,in" });
    const stored = dequantize(attention, few);
    using float = prepareLinear(attention, stored, { order: "out,in" });
    const filled = randomArray(6 * inputs, 6);
    for (const [i, value] of [NaN, Infinity, -Infinity, 0].entries()) {
      filled[i * inputs + 7] = value;
    }
    filled.fill(0, 4 * inputs, 5 * inputs);
    filled.fill(3e-42, 5 * inputs, 6 * inputs);
    const x = tensor(filled, [6, inputs]);
    const [got, want] = [few, float].map((w) => linear(attention, x, w).data) as [
      Float32Array,
      Float32Array,
    ];
    for (let n = 0; n < 3 * outputs; n++) {
      assert.ok(Object.is(got[n], want[n]), `${got[n]} for ${want[n]} at ${n}`);
    }
    for (let n = 3 * outputs; n < 6 * outputs; n++) {
      const scale = n < 4 * outputs ? 1 : 1e-41;
      const near = Math.abs((got[n] as number) - (want[n] as number)) <= 3e-4 * scale;
      assert.ok(near, `${got[n]} for ${want[n]} at ${n}`);
    }
    assert.ok(got.subarray(5 * outputs).some((value) => value !== 0));
    // So large that sums overflow, and so that they do not.
    for (const size of [3e38, 1e30]) {
      const large = tensor(randomArray(inputs, 7, size), [1, inputs]);
      const [y, z] = [few, float].map((w) => linear(attention, large, w).data) as [
        Float32Array,
        Float32Array,
      ];
      for (const [n, value] of z.entries()) {
        const got = y[n] as number;
        // Which sums overflow on the way depends on their order.
        const right = Number.isFinite(value)
          ? Math.abs(got - value) <= 2e-3 * size
          : !Number.isFinite(got) || Math.abs(got) > 1e37;
        assert.ok(right, `${got} for ${value}`);
      }
    }
  }
  // A scale that is no number makes its own outputs none.
  weight.data[3 * inputs + 2] = Number.NaN;
  using bad = prepareQuantized(attention, weight, { numbers: "int8", order: "out,in" });
  const { data } = linear(attention, randomTensor([2, inputs], 8), bad);
  for (const [n, value] of data.entries()) assert.equal(Number.isNaN(value), n % outputs === 3);
});

test("the numbers are the nearest, and as ggml rounds them", async () => {
  using attention = await engine("portable");
  const weight = randomTensor([9, 96], 4);
  using eight = prepareQuantized(attention, weight, {
    numbers: "int8",
    order: "out,in",
    block: 32,
  });
  using four = prepareQuantized(attention, weight, { numbers: "int4", order: "out,in" });
  const [got8, got4] = [eight, four].map((w) => dequantize(attention, w).data);
  for (let from = 0; from < weight.data.length; from += 32) {
    const block = weight.data.subarray(from, from + 32);
    const largest = block.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
    const [scale8, scale4] = [Math.fround(Math.abs(largest) / 127), Math.fround(largest / -8)];
    const inverse = Math.fround(1 / scale4);
    for (const [i, w] of block.entries()) {
      assert.ok(Math.abs((got8?.[from + i] as number) - w) <= 0.5001 * scale8);
      const q = Math.min(15, Math.floor(Math.fround(Math.fround(w * inverse) + 8.5))) - 8;
      assert.equal(got4?.[from + i], Math.fround(q * scale4));
    }
  }
});

interface Blocks {
  readonly name: string;
  readonly type: string;
  readonly rows: number;
  readonly row: number;
  readonly bytes: string;
  readonly values: readonly (number | string)[];
}

test("blocks of ggml stand for what ggml reads", needsData, async () => {
  using attention = await engine("portable");
  const text = readFileSync(dataFile("weights/blocks.json"), "utf8");
  const types = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "F16", "BF16"];
  types.push("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K");
  const { cases } = JSON.parse(text) as { cases: Blocks[] };
  const known = cases.filter(({ type }) => types.includes(type));
  assert.ok(known.length >= 11, `${known.length} cases`);
  for (const { name, type, rows, row, bytes, values } of known) {
    const data = Uint8Array.from(Buffer.from(bytes, "hex"));
    const weight = { format: type, dims: [rows, row], data } as StoredWeight;
    using prepared = prepareQuantized(attention, weight, { order: "out,in" });
    const got = Array.from(dequantize(attention, prepared).data, (x) => x + 0);
    const want = values.map((value) => Math.fround(Number(value)));
    assert.deepEqual(got, want, name);
  }
});

test("the layer takes them, and leaves them to their maker", async () => {
  using attention = await engine("relaxed");
  const { used } = attention.memory;
  const projection = (seed: number) => {
    const weight = randomTensor([64, 64], seed, 0.2);
    const options = { order: "out,in", bias: randomArray(64, seed + 1) } as const;
    const few = prepareQuantized(attention, weight, {
      ...options,
      numbers: "int8",
      activations: "float32",
    });
    return { few, float: { ...options, weight: dequantize(attention, few) } };
  };
  const [query, key, value, output] = [1, 3, 5, 7].map(projection) as [P, P, P, P];
  type P = ReturnType<typeof projection>;
  const all = { query, key, value, output };
  const pick = <Name extends "few" | "float">(name: Name) =>
    Object.fromEntries(Object.entries(all).map(([role, made]) => [role, made[name]])) as Record<
      keyof typeof all,
      P[Name]
    >;
  const x = randomTensor([2, 21, 64], 9);
  const layer = new MultiHeadAttention(attention, { heads: 4 }, pick("few"));
  using same = new MultiHeadAttention(attention, { heads: 4 }, pick("float"));
  const [got, want] = [layer, same].map((one) => one.forward(x, { causal: true }).output);
  assert.deepEqual(got, want);
  assert.deepEqual((await layer.forwardAsync(x, { causal: true })).output, want);
  assert.match(JSON.stringify(layer), /"numbers":"int8"/);
  layer.dispose();
  assert.equal(linear(attention, x, query.few).data.length, x.data.length);
  // Of some that are prepared and some that are not the layer disposes its own.
  const before = attention.memory.used;
  new MultiHeadAttention(attention, { heads: 4 }, { ...pick("float"), value: value.few }).dispose();
  assert.equal(attention.memory.used, before);
  for (const { few } of Object.values(all)) few.dispose();
  same.dispose();
  assert.equal(attention.memory.used, used);
});
