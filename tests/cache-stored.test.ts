// What attend makes of stored rows: whatever is asked for, it is that of attend over what read gives.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { type CacheAttendOptions, createCache } from "wasm-attention/cache";
import { same } from "./checks/cache";
import { engine, randomArray, variants } from "./engines";

const kinds = ["int16", "int8", "int4"] as const;

/** Those that mean the same in both. */
type Given = Omit<CacheAttendOptions, "causal" | "sequences" | "positions"> & { causal?: false };

/**
 * Of outputs and weights, beside attend in float32 over the rows as they are read: int8 and int4 round queries
 * and weights to 16 bits, int16 adds its products in another order.
 */
const bounds = { int16: 1e-5, int8: 2.5e-4, int4: 2.5e-4 };

const random = (heads: number, tokens: number, size: number, seed: number) =>
  tensor(randomArray(heads * tokens * size, seed, 2), [1, heads, tokens, size]);

for (const variant of variants) {
  test(`every option over stored rows is that of attend over what read gives, ${variant}`, async () => {
    const attention = await engine(variant);
    const [heads, shared, S] = [6, 2, 333];
    const options: Given[] = [
      {},
      { causal: false },
      { window: { left: 140 } },
      { softcap: 3, alibi: { slopes: randomArray(heads, 9) } },
      { sinks: randomArray(heads, 8) },
      { mask: { data: randomArray(S, 7).map((x) => (x < 0 ? -Infinity : x)), dims: [S] } },
      {
        mask: {
          data: Uint8Array.from({ length: S }, (_, j) => +(j > 130 && j % 3 > 0)),
          dims: [S],
        },
      },
      { dropout: { probability: 0.3, seed: 5 } },
      { queryOffset: 130 },
      { scale: 40 },
    ];
    for (const numbers of kinds) {
      for (const [headSize, valueSize, pageSize] of [
        [64, 64, 128],
        [13, 9, 50],
        [80, 33, 256],
        [1, 1, 1],
      ] as const) {
        const [k, v] = [random(shared, S, headSize, 11), random(shared, S, valueSize, 12)];
        using cache = createCache(attention, {
          ...{ keyValueHeads: shared, headSize, valueSize, numbers, pageSize },
        });
        cache.append(k, v);
        const { key, value } = cache.read();
        for (const L of [1, 5, 70]) {
          const q = random(heads, L, headSize, 13);
          for (const given of options) {
            const asked = { ...given, weights: true, logSumExp: true } as const;
            const got = cache.attend(q, asked);
            const causal = given.causal ?? (given.queryOffset === undefined ? "lower-right" : true);
            const offset = causal === false ? { queryOffset: S - L } : {};
            const want = attention.attend(q, key, value, { ...asked, ...offset, causal });
            const worst = (a: Float32Array, b: Float32Array) =>
              a.reduce(
                (most, x, i) => (x === b[i] ? most : Math.max(most, Math.abs(x - b[i]!))),
                0,
              );
            const where = `${numbers} ${headSize} ${L} ${Object.keys(given)}`;
            // A scale of 40 makes 40 times as much of a score's error; scores of some hundreds before their
            // soft cap have a last place of 3e-5.
            const bound = bounds[numbers] * (given.scale ? 200 : given.softcap ? 4 : 1);
            assert.ok(worst(got.output.data, want.output.data) < bound, `output, ${where}`);
            assert.ok(worst(got.weights.data, want.weights.data) < bound, `weights, ${where}`);
          }
        }
      }
    }
  });

  test(`masked rows of NaN are not seen, visible ones are, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const numbers of kinds) {
      using cache = createCache(attention, { keyValueHeads: 1, headSize: 8, numbers });
      const [k, v] = [random(1, 200, 8, 1), random(1, 200, 8, 2)];
      cache.append(k, v);
      const q = random(1, 3, 8, 3);
      const hidden = {
        data: Uint8Array.from({ length: 200 }, (_, j) => +(j !== 150)),
        dims: [200],
      };
      const want = cache.attend(q, { mask: hidden });
      const bad = tensor(
        v.data.map((x, i) => (i === 150 * 8 + 3 ? NaN : x)),
        v.dims,
      );
      for (const [key, value] of [
        [k, bad],
        [
          tensor(
            k.data.map((x, i) => (i === 150 * 8 + 3 ? NaN : x)),
            k.dims,
          ),
          v,
        ],
      ] as const) {
        cache.truncate(0, 0);
        cache.append(key, value);
        same(cache.attend(q, { mask: hidden }).output.data, want.output.data, numbers);
        assert.ok(cache.attend(q).output.data.every(Number.isNaN), numbers);
      }
    }
  });

  test(`rows together have the bytes of each by itself, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const numbers of kinds)
      for (const [heads, shared, headSize, valueSize, pageSize] of [
        [4, 2, 64, 64, 128],
        [2, 2, 40, 21, 7],
        [1, 1, 3, 33, 1],
        [1, 1, 2056, 8, 50],
      ] as const)
        for (const what of ["plain", "nothing", "tiny", "special", "masked"] as const) {
          const [S, L] = [201, 71];
          const [k, v] = [random(shared, S, headSize, 21), random(shared, S, valueSize, 22)];
          const q = random(heads, L, headSize, 23);
          if (what === "nothing") v.data.fill(0, 0, 140 * valueSize);
          if (what === "tiny") v.data.set(v.data.map((x) => x * 1e-40));
          if (what === "special") {
            v.data[150 * valueSize] = NaN;
            k.data[160 * headSize] = Infinity;
            q.data[33 * headSize] = NaN;
          }
          const mask = {
            data: Uint8Array.from({ length: L * S }, (_, i) => +((i * 7919) % 11 > 4)),
            dims: [L, S],
          };
          // Tiles that some rows of a block of four do not see.
          if (what === "masked") for (const i of [5, 30, 31]) mask.data.fill(0, i * S, i * S + 128);
          using cache = createCache(attention, {
            ...{ keyValueHeads: shared, headSize, valueSize, numbers, pageSize },
          });
          cache.append(k, v);
          const options = { causal: true, queryOffset: S - L - 9, logSumExp: true } as const;
          const masked = what === "masked" ? { mask } : {};
          const whole = cache.attend(q, { ...options, ...masked });
          for (let i = 0; i < L; i++) {
            const part = (data: Float32Array, size: number) =>
              Float32Array.from({ length: heads * size }, (_, at) => {
                const h = Math.floor(at / size);
                return data[(h * L + i) * size + (at % size)] as number;
              });
            const rowMask = { data: mask.data.slice(i * S, (i + 1) * S), dims: [1, S] };
            const alone = cache.attend(tensor(part(q.data, headSize), [1, heads, 1, headSize]), {
              ...{ ...options, queryOffset: options.queryOffset + i },
              ...(what === "masked" && { mask: rowMask }),
            });
            const where = `${numbers} ${headSize} ${what} ${i}`;
            same(part(whole.output.data, valueSize), alone.output.data, where);
            same(part(whole.logSumExp.data, 1), alone.logSumExp.data, where);
          }
        }
  });
}
