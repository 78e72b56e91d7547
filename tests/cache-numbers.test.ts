// Caches of few bits: each row is what the formula makes of it, and how tokens come changes nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import { type CacheNumbers, createCache } from "wasm-attention/cache";
import { same } from "./checks/cache";
import { engine, randomArray, variants } from "./engines";

const kinds = ["int16", "int8", "int4"] as const;

/** x[i] → H·x, H of the largest power of two in D, by its definition. */
function hadamard(row: number[]): number[] {
  const n = row.length & -row.length;
  const sign = (i: number, j: number) => {
    let ones = 0;
    for (let bits = i & j; bits; bits &= bits - 1) ones++;
    return ones % 2 ? -1 : 1;
  };
  return row.map((_, i) => {
    const from = i - (i % n);
    let sum = 0;
    for (let j = 0; j < n; j++) sum += sign(i % n, j) * (row[from + j] as number);
    return sum;
  });
}

/** A row rounded as docs and kernels say, in float64. */
function rounded(numbers: CacheNumbers, row: number[]): number[] {
  if (numbers === "int4") {
    const blocks: number[] = [];
    for (let i = 0; i < row.length; i += 32) {
      const block = row.slice(i, i + 32);
      const largest = block.reduce((a, x) => (Math.abs(x) > Math.abs(a) ? x : a), 0);
      const scale = largest / -8;
      for (const x of block)
        blocks.push(scale ? (Math.min(15, Math.trunc(x / scale + 8.5)) - 8) * scale : 0);
    }
    return blocks;
  }
  const most = numbers === "int8" ? 127 : 32767;
  const scale = Math.max(...row.map(Math.abs)) / most;
  return row.map((x) => (scale ? Math.round(x / scale) * scale : 0));
}

const step: Record<string, number> = { int16: 1 / 32767, int8: 1 / 127, int4: 1 / 8 };

function rowsOf({ data, dims }: Tensor): number[][] {
  const size = dims.at(-1) as number;
  return Array.from({ length: data.length / size }, (_, i) =>
    Array.from(data.subarray(i * size, (i + 1) * size)),
  );
}

const random = (heads: number, tokens: number, size: number, seed: number) =>
  tensor(randomArray(heads * tokens * size, seed, 2), [1, heads, tokens, size]);

for (const variant of variants) {
  for (const numbers of kinds) {
    test(`${numbers}: rows are rounded by the formula, ${variant}`, async () => {
      const attention = await engine(variant);
      for (const size of [1, 2, 7, 8, 12, 31, 32, 33, 64, 80, 128]) {
        const [k, v] = [random(2, 9, size, 1), random(2, 9, size + 1, 2)];
        using cache = createCache(attention, {
          ...{ keyValueHeads: 2, headSize: size, valueSize: size + 1, numbers, pageSize: 4 },
        });
        cache.append(k, v);
        const { key, value } = cache.read();
        for (const [i, row] of rowsOf(value).entries()) {
          const given = rowsOf(v)[i] as number[];
          const want = rounded(numbers, given);
          const largest = Math.max(...given.map(Math.abs));
          for (const [j, x] of row.entries()) {
            // A tie that float32 sees elsewhere is rounded to the other side.
            const near = Math.abs(x - (want[j] as number)) <= 4e-7 * largest;
            const tie = Math.abs(
              Math.abs(x - (given[j] as number)) / (largest * step[numbers]!) - 0.5,
            );
            assert.ok(near || tie < 1e-2, `${size}: ${x} for ${want[j]} of ${given[j]}`);
          }
        }
        // Keys of few bits are rounded in the transformed space and come back from it.
        const transformed = numbers !== "int16";
        for (const [i, row] of rowsOf(key).entries()) {
          const given = rowsOf(k)[i] as number[];
          const n = size & -size;
          const inside = transformed ? hadamard(given.map((x) => x / n)) : given;
          const largest = Math.max(...inside.map(Math.abs));
          const got = transformed ? hadamard(row.map((x) => x / n)) : row;
          for (const [j, x] of got.entries()) {
            const error = Math.abs(x - (inside[j] as number)) / largest;
            // The largest of a block of int4 is −8 steps, what stands at +8 is cut to +7.
            const bound = numbers === "int4" ? 1 : 0.5;
            assert.ok(error <= bound * step[numbers]! + 1e-6, `${size}: ${error}`);
          }
        }
      }
    });

    test(`${numbers}: attend over what is stored, however it came, ${variant}`, async () => {
      const attention = await engine(variant);
      const [heads, shared, size, S] = [4, 2, 32, 300];
      const [q, k, v] = [
        random(heads, S, size, 3),
        random(shared, S, size, 4),
        random(shared, S, size, 5),
      ];
      const part = ({ data, dims }: Tensor, from: number, to: number) => {
        const [, h, T, d] = dims as [number, number, number, number];
        const all = Array.from({ length: h }, (_, i) =>
          data.subarray((i * T + from) * d, (i * T + to) * d),
        );
        const joined = new Float32Array(h * (to - from) * d);
        for (const [i, x] of all.entries()) joined.set(x, i * (to - from) * d);
        return tensor(joined, [1, h, to - from, d]);
      };
      const make = (pageSize: number) =>
        createCache(attention, { keyValueHeads: shared, headSize: size, numbers, pageSize });
      using whole = make(128);
      whole.append(k, v);
      const want = whole.attend(q);
      for (const [pageSize, pieces] of [
        [16, [1, 1, 1, 64, 65, 168]],
        [100, [299, 1]],
        [256, [7, 7, 7, 200, 79]],
      ] as const) {
        using cache = make(pageSize);
        let from = 0;
        for (const L of pieces) {
          cache.append(part(k, from, from + L), part(v, from, from + L));
          const { output } = cache.attend(part(q, from, from + L));
          same(
            output.data,
            part(want.output, from, from + L).data,
            `page ${pageSize}, from ${from}`,
          );
          from += L;
        }
        const fork = cache.fork();
        const copy = cache.import(cache.export());
        for (const sequence of [fork, copy, cache.copyTo(cache)]) {
          const { output } = cache.attend(part(q, 299, 300), { sequences: [sequence] });
          same(output.data, part(want.output, 299, 300).data, `sequence ${sequence}`);
        }
      }
      // A bound of the kind's own, on numbers that are evenly spread.
      const exact = attention.attend(q, k, v, { causal: true }).output.data;
      const error =
        Math.hypot(...exact.map((x, i) => x - want.output.data[i]!)) / Math.hypot(...exact);
      assert.ok(error < { int16: 2e-4, int8: 5e-2, int4: 0.6 }[numbers], `${error}`);
    });
  }

  test(`rows of zeros, of huge and of tiny numbers, with NaN and infinity, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const numbers of kinds) {
      const one = (...row: number[]) => tensor(Float32Array.from(row), [1, 1, 1, row.length]);
      using cache = createCache(attention, {
        keyValueHeads: 1,
        headSize: 2,
        valueSize: 3,
        numbers,
      });
      cache.append(one(0, 0), one(0, 0, 0));
      assert.deepEqual([...cache.read().value.data], [0, 0, 0]);
      cache.append(one(0, 0), one(3e38, -3e38, 0));
      assert.ok([...cache.read().value.data].every(Number.isFinite));
      cache.append(one(1e-44, 0), one(1e-44, -1e-44, 0));
      assert.ok([...cache.read().value.data].every(Number.isFinite));
      cache.truncate(0, 1);
      cache.append(one(0, 0), one(1, Infinity, 2));
      assert.deepEqual([...cache.read().value.data.subarray(3)], [NaN, NaN, NaN]);
      // What nobody sees is not read.
      const { output } = cache.attend(one(1, 1), { queryOffset: 0 });
      assert.deepEqual([...output.data], [0, 0, 0]);
      assert.deepEqual([...cache.attend(one(1, 1)).output.data], [NaN, NaN, NaN]);
    }
  });

  test(`numbers take the bytes they say, and their names are checked, ${variant}`, async () => {
    const attention = await engine(variant);
    const bytes = (numbers: CacheNumbers) => {
      using cache = createCache(attention, { keyValueHeads: 3, headSize: 64, numbers });
      cache.append(random(3, 1, 64, 1), random(3, 1, 64, 2));
      return Math.floor(cache.memory.bytes / (3 * 128 * 2));
    };
    assert.deepEqual(
      [bytes("float32"), bytes("int16"), bytes("int8"), bytes("int4")],
      [256, 132, 68, 40],
    );
    const options = { keyValueHeads: 1, headSize: 8 };
    assert.throws(() => createCache(attention, { ...options, numbers: "float8" as never }), {
      name: "ArgumentError",
      message: 'createCache: "numbers" expected "float32", "int16", "int8", "int4", got "float8"',
    });
    using small = createCache(attention, { ...options, numbers: "int8" });
    using large = createCache(attention, options);
    small.append(random(1, 1, 8, 1), random(1, 1, 8, 2));
    assert.throws(() => small.copyTo(large), {
      message: 'copyTo: "other" expected a cache of numbers "int8", got one of "float32"',
    });
    assert.throws(() => large.import(small.export()), {
      message:
        'import: "bytes" expected a sequence of "float32", as the cache has, got one of "int8"',
    });
  });
}
