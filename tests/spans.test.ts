// Keys of more than one span: their states are merged, by one thread or by several, for any number
// of queries, from near memory or far, to the same bits.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AttendOptions, type Tensor, tensor } from "wasm-attention";
import { checkAttend } from "./checks/attend";
import { problems } from "./checks/problems";
import { holds } from "./checks/property";
import { engine, randomArray, variants } from "./engines";

/** As in assembly/tiles.ts. */
const SPAN = 4096;

const long = fc
  .tuple(
    problems,
    fc.constantFrom(SPAN - 1, SPAN, SPAN + 1, SPAN + 129, 2 * SPAN + 3),
    fc.constantFrom(1, 1, 2, 9, 65),
    fc.constantFrom(1, 3, 8, 31),
    fc.constantFrom<AttendOptions["window"]>(undefined, { left: 100 }, { left: SPAN, right: SPAN }),
  )
  .map(([drawn, keys, queries, size, window]) => ({
    ...drawn,
    ...{ keys, queries, window, headSize: size, valueSize: size, batch: 1, group: 2 },
    keyValueHeads: 1,
    scores: undefined,
    blockSize: 0 as const,
    modified: false,
  }));

for (const variant of variants) {
  test(`spans against the reference, ${variant}`, async () => {
    const attention = await engine(variant);
    holds(long, (drawn) => checkAttend(attention, drawn), 15);
  });
}

const bytes = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** [heads, from, to) rows of a [1, heads, rows, columns] tensor. */
function rowsOf({ data, dims }: Tensor, from: number, to: number): Tensor {
  const [, heads, rows, columns] = dims as [number, number, number, number];
  const parts = Array.from({ length: heads }, (_, h) =>
    data.subarray((h * rows + from) * columns, (h * rows + to) * columns),
  );
  const rest = new Float32Array(heads * (to - from) * columns);
  for (const [h, part] of parts.entries()) rest.set(part, h * part.length);
  return tensor(rest, [1, heads, to - from, columns]);
}

for (const [name, keys, size, valueSize] of [
  ["near", SPAN + 300, 20, 12],
  ["far", 2 * SPAN + 700, 64, 72],
  ["far, sizes that are no multiple of four", 2 * SPAN + 700, 61, 67],
] as const) {
  for (const variant of variants) {
    test(`the bits of a row do not depend on rows or threads, ${name}, ${variant}`, async () => {
      const [heads, few, queries] = [4, 2, 70];
      const of = (count: number, rows: number, columns: number, seed: number) =>
        tensor(randomArray(count * rows * columns, seed), [1, count, rows, columns]);
      const query = of(heads, queries, size, 1);
      const key = of(few, keys, size, 2);
      const value = of(few, keys, valueSize, 3);
      value.data[5] = Number.NaN;
      const mask = new Uint8Array(keys).fill(1);
      mask[0] = 0; // hides the NaN
      mask.fill(0, 600, SPAN - 3); // whole tiles
      const options: AttendOptions = {
        mask: { data: mask, dims: [keys] },
        sinks: [0.5, -Infinity, 3, 0],
        logSumExp: true,
        weights: true,
      };
      using one = await engine(variant);
      const whole = one.attend(query, key, value, options);
      assert(!whole.output.data.some(Number.isNaN));
      for (const threads of [1, 2, 3]) {
        using many = await engine(variant, { threads });
        assert.equal(many.threads, threads, many.threadsFallback);
        for (const [from, to] of [
          [0, 1],
          [69, 70],
          [3, 5],
          [0, 70],
        ] as const) {
          const part = many.attend(rowsOf(query, from, to), key, value, options);
          assert(bytes(part.output).equals(bytes(rowsOf(whole.output, from, to))));
          const weights = rowsOf(whole.weights as Tensor, from, to);
          assert(bytes(part.weights as Tensor).equals(bytes(weights)));
        }
      }
    });
  }
}
