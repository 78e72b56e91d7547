// attend in integers of 16 bits: against float64, against what float32 gives with every option, on inputs
// that are hard for few bits, and on those that have no integers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import * as integers from "wasm-attention/integers";
import { checkEveryOption } from "./checks/integers";
import { bitsOf, engine, randomTensor, variants, type Whole } from "./engines";
import { exact, hardInputs, relative, type Three } from "./hard-inputs";
import { halfToEven } from "./reference-quantized";

const { int16, precisionError } = integers;

const { fround } = Math;
const largestOf = (row: Float64Array) => row.reduce((m, value) => Math.max(m, Math.abs(value)), 0);

/** Of queries and keys, of values; and what a number is multiplied by to be rounded. */
const byNorm = (row: Float64Array) => {
  const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  const scale = Math.max(fround(norm / 46300), fround(largestOf(row) / 32767));
  return [scale, fround(1 / scale)] as const;
};
const byToken = (row: Float64Array) => {
  const largest = largestOf(row);
  return [fround(largest / 8191), fround(8191 / largest)] as const;
};

/** Rows as integers times their scale, from the formulas of assembly/integers/tile.ts. */
function roundedRows(x: Float64Array, size: number, of: typeof byNorm) {
  const result = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += size) {
    const [scale, inverse] = of(x.subarray(at, at + size));
    for (let i = at; i < at + size; i++) {
      result[i] = scale ? halfToEven(fround((x[i] as number) * inverse)) * scale : 0;
    }
  }
  return result;
}

const attended = (attention: Whole, [q, k, v]: Three): Float32Array =>
  attention.attend(q, k, v, { precision: int16 }).output.data;

for (const variant of variants) {
  test(`one tile is the formulas', ${variant}`, async () => {
    using attention = await engine(variant);
    for (const [rows, keys, size, columns] of [
      [1, 1, 1, 1],
      [3, 5, 7, 9],
      [5, 127, 33, 8],
      [64, 128, 64, 64],
      [67, 121, 130, 31],
    ] as const) {
      const q = randomTensor([rows, size], 1, 2);
      const k = randomTensor([keys, size], 2, 2);
      const v = randomTensor([keys, columns], 3);
      const scaled = Float64Array.from(q.data, (x) => fround(x * fround(size ** -0.5)));
      const a = roundedRows(scaled, size, byNorm);
      const b = roundedRows(Float64Array.from(k.data), size, byNorm);
      const values = Float64Array.from(v.data);
      const c = roundedRows(values, columns, byToken);
      const scales = Float64Array.from(
        { length: keys },
        (_, j) => byToken(values.subarray(j * columns, (j + 1) * columns))[0],
      );
      const got = attended(attention, [q, k, v]);
      for (let i = 0; i < rows; i++) {
        const weights = Float64Array.from({ length: keys }, (_, j) => {
          let sum = 0;
          for (let d = 0; d < size; d++) {
            sum += (a[i * size + d] as number) * (b[j * size + d] as number);
          }
          return sum;
        });
        const most = weights.reduce((x, y) => Math.max(x, y));
        for (let j = 0; j < keys; j++) weights[j] = Math.exp((weights[j] as number) - most);
        const l = weights.reduce((x, y) => x + y);
        const tokens = weights.map((w, j) => w * (scales[j] as number));
        const u = Math.max(largestOf(tokens) / 32767, tokens.reduce((x, y) => x + y) / 262000);
        for (let column = 0; column < columns; column++) {
          let [sum, reach] = [0, 0];
          for (let j = 0; j < keys; j++) {
            const scale = scales[j] as number;
            const number = scale && (c[j * columns + column] as number) / scale;
            const weight = halfToEven((tokens[j] as number) / u);
            sum += weight * number * u;
            // Numbers that stand between two integers may go to either; float32 rounds the rest.
            const near = Math.abs((((tokens[j] as number) / u) % 1) - 0.5) < 0.01 ? u : 0;
            reach += Math.abs(number) * near + Math.abs(weight * number * u) * 2e-6;
          }
          const far = Math.abs((got[i * columns + column] as number) - sum / l);
          const right = far <= (reach + 1e-7) / l + 3e-6;
          assert.ok(right, `${[rows, keys, size, columns]}: ${far} at ${i}, ${column}`);
        }
      }
    }
  });

  test(`hard inputs stay within 4e-4, ${variant}`, async () => {
    using attention = await engine(variant);
    for (const [name, inputs] of Object.entries(hardInputs())) {
      const error = relative(attended(attention, inputs), exact(inputs));
      assert.ok(error <= 4e-4, `${name}: ${error}`);
      const found = precisionError(attention, ...inputs, { precision: int16 });
      assert.ok(
        Math.abs(found.relative - error) <= 2e-5,
        `${name}: ${found.relative} for ${error}`,
      );
      const { worstRow, cosine } = found;
      assert.ok(worstRow < 5e-3, `${name}: ${worstRow} of a row`);
      assert.ok(cosine > 0.9999999 && cosine <= 1 + 1e-12, `${name}: ${cosine}`);
    }
  });

  test(`every option is what it is in float32, ${variant}`, async () => {
    using attention = await engine(variant);
    await checkEveryOption(attention, "int16", 4e-4);
  });
}

test("the same bits in both builds, on threads, in slices and however rows are cut", async () => {
  const [q, k, v] = [
    randomTensor([1, 3, 200, 40], 1),
    randomTensor([1, 3, 4200, 40], 2),
    randomTensor([1, 3, 4200, 24], 3),
  ] as const;
  // A row that has no integers, and a tile.
  q.data.fill(Number.NaN, 7 * 40, 8 * 40);
  k.data.fill(1e-35, 500 * 40, 501 * 40);
  const options = { precision: int16, logSumExp: true } as const;
  const all: unknown[] = [];
  for (const variant of variants) {
    for (const threads of [1, 2]) {
      using attention = await engine(variant, { threads });
      const { used } = attention.memory;
      const whole = attention.attend(q, k, v, options);
      all.push(bitsOf(whole), bitsOf(await attention.attendAsync(q, k, v, options)));
      for (const [from, to] of [
        [0, 1],
        [5, 12],
        [64, 131],
      ] as const) {
        const some = tensor(q.data.slice(from * 40, to * 40), [1, to - from, 40]);
        const head = (x: Tensor) =>
          tensor(x.data.slice(0, x.data.length / 3), [1, 4200, x.dims[3] as number]);
        const { output } = attention.attend(some, head(k), head(v), options);
        const want = whole.output.data.slice(from * 24, to * 24);
        assert.deepEqual(bitsOf({ output }), bitsOf({ output: tensor(want, [want.length]) }));
      }
      assert.equal(attention.memory.used, used);
    }
  }
  for (const bits of all) assert.deepEqual(bits, all[0]);
});
