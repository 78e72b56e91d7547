// One query reads some heads in turns: the bits are those of the last of two queries, which takes another
// road, over plain tensors larger than the caches, over pages of every size, by any number of threads.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttendOptions, type Tensor, tensor } from "wasm-attention";
import { type CacheNumbers, createCache } from "wasm-attention/cache";
import { engine, randomArray, variants } from "./engines";

/** Heads, key and value heads, keys, head size, value size; plain ones are more than 8 MB. */
const plain = [
  [1, 1, 15500, 64, 72],
  [6, 3, 5200, 64, 72],
  [5, 5, 4230, 66, 64],
  [9, 9, 2300, 64, 40],
] as const;
const stored = [
  [6, 6, 4230, 64, 40],
  [4, 1, 300, 64, 72],
  [12, 3, 300, 40, 64],
  [5, 5, 129, 128, 64],
] as const;

function drawn([H, Hkv, S, D, Dv]: readonly [number, number, number, number, number]) {
  const made = (heads: number, rows: number, size: number, seed: number) =>
    tensor(randomArray(heads * rows * size, seed, 2), [1, heads, rows, size]);
  const [query, key, value] = [made(H, 2, D, 1), made(Hkv, S, D, 2), made(Hkv, S, Dv, 3)];
  // Head h leaves out its h-th tile and all between: some heads of a strip skip what others see.
  const seen = new Uint8Array(H * S).fill(1);
  for (let h = 0; h < H; h++) seen.fill(0, h * S + h * 128, h * S + Math.min(h * 128 + 128, S - 1));
  const mask = { data: seen, dims: [1, H, 1, S] };
  const last = tensor(
    Float32Array.from({ length: H * D }, (_, i) => {
      const [h, c] = [Math.floor(i / D), i % D];
      return query.data[(h * 2 + 1) * D + c] as number;
    }),
    [1, H, 1, D],
  );
  return { query, last, key, value, mask };
}

interface Asked extends Pick<AttendOptions, "logSumExp" | "mask" | "window" | "softcap"> {
  readonly causal?: true;
}

const asked: readonly ((mask: Asked["mask"]) => Asked)[] = [
  () => ({ logSumExp: true }),
  (mask) => ({ logSumExp: true, causal: true, mask }),
  () => ({ logSumExp: true, causal: true, window: { left: 200 }, softcap: 5 }),
];

type Result = { output: Tensor; logSumExp?: Tensor | undefined };

/** The only row is the last of two. */
function same(one: Result, two: Result, where: string): void {
  const [, H, , Dv] = one.output.dims as [number, number, number, number];
  for (let h = 0; h < H; h++) {
    const got = one.output.data.slice(h * Dv, h * Dv + Dv);
    const want = two.output.data.slice((h * 2 + 1) * Dv, (h * 2 + 2) * Dv);
    assert.deepEqual(got, want, `head ${h}, ${where}`);
    assert.equal(one.logSumExp?.data[h], two.logSumExp?.data[h * 2 + 1], `head ${h}, ${where}`);
    assert.ok(!got.some(Number.isNaN), where);
  }
}

for (const variant of variants)
  for (const threads of [1, 2]) {
    test(`one query of float32, ${variant}, ${threads} threads`, async () => {
      using attention = await engine(variant, { threads });
      for (const sizes of plain) {
        const [, Hkv, S, headSize, valueSize] = sizes;
        const { query, last, key, value, mask } = drawn(sizes);
        const caches = [48, 128, 256].map((pageSize) =>
          createCache(attention, { keyValueHeads: Hkv, headSize, valueSize, pageSize }),
        );
        for (const cache of caches) cache.append(key, value);
        // What no query sees may be anything.
        const hidden = mask.data.subarray(0, S).indexOf(0);
        for (const [i, of] of asked.entries()) {
          const options = of(mask);
          const plainly = (q: Tensor) =>
            attention.attend(q, key, value, { ...options, queryOffset: S - (q.dims[2] as number) });
          const two = plainly(query);
          const where = `${sizes}, options ${i}`;
          same(plainly(last), two, where);
          for (const cache of caches) same(cache.attend(last, options), two, `${where}, pages`);
          if (i !== 1 || Hkv !== 1) continue;
          value.data.fill(NaN, hidden * valueSize, (hidden + 3) * valueSize);
          same(plainly(last), two, `${where}, NaN`);
          value.data.fill(0, hidden * valueSize, (hidden + 3) * valueSize);
        }
        for (const cache of caches) cache.dispose();
      }
    });

    for (const numbers of ["int16", "int8", "int4"] satisfies CacheNumbers[])
      test(`one query of ${numbers}, ${variant}, ${threads} threads`, async () => {
        using attention = await engine(variant, { threads });
        for (const sizes of stored) {
          const [, keyValueHeads, , headSize, valueSize] = sizes;
          const { query, last, key, value, mask } = drawn(sizes);
          for (const pageSize of [48, 128, 256]) {
            const options = { keyValueHeads, headSize, valueSize, pageSize, numbers };
            using cache = createCache(attention, options);
            cache.append(key, value);
            for (const [i, of] of asked.entries()) {
              const where = `${sizes}, pages of ${pageSize}, options ${i}`;
              same(cache.attend(last, of(mask)), cache.attend(query, of(mask)), where);
            }
          }
        }
      });
  }
