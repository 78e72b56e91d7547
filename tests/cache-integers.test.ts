// attend over caches of few bits: what the formula says in float64 over the rows as they are stored, and the
// same bytes from both builds, from any number of threads and however it is cut.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import { type CacheAttendOptions, type CacheNumbers, createCache } from "wasm-attention/cache";
import { same } from "./checks/cache";
import { engine, random, randomArray, variants, type Whole } from "./engines";
import { attend, naiveDraws, type Problem, shareOfDraws } from "./reference";

const kinds = ["int16", "int8", "int4"] as const;

const rows = (heads: number, L: number, D: number, seed: number, amplitude = 1) =>
  tensor(randomArray(heads * L * D, seed, amplitude), [1, heads, L, D]);

/** Tokens [from, to) of [1, H, L, D]. */
function part({ data, dims }: Tensor, from: number, to: number): Tensor {
  const [, H, L, D] = dims as [number, number, number, number];
  const joined = new Float32Array(H * (to - from) * D);
  for (let h = 0; h < H; h++)
    joined.set(data.subarray((h * L + from) * D, (h * L + to) * D), h * (to - from) * D);
  return tensor(joined, [1, H, to - from, D]);
}

/** ‖got − want‖ ÷ ‖want‖ */
function relative(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let [error, size] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    error += ((got[i] as number) - (want[i] as number)) ** 2;
    size += (want[i] as number) ** 2;
  }
  return Math.sqrt(error / size);
}

/** All queries see all keys. */
function problem(query: Tensor, key: Tensor, value: Tensor): Problem {
  const [, heads, queries, headSize] = query.dims as [number, number, number, number];
  const [, keyValueHeads, keys, valueSize] = value.dims as [number, number, number, number];
  return {
    ...{ batch: 1, heads, keyValueHeads, queries, keys, headSize, valueSize },
    ...{ query: query.data, key: key.data, value: value.data },
    scale: 1 / Math.sqrt(headSize),
    present: () => true,
    visible: () => true,
    bias: () => 0,
  } as Problem;
}

const engines = new Map<string, Whole>();
async function each(): Promise<Map<string, Whole>> {
  if (engines.size) return engines;
  for (const variant of variants) {
    engines.set(variant, await engine(variant));
    engines.set(`${variant}, two threads`, await engine(variant, { threads: 2 }));
  }
  return engines;
}
after(() => {
  for (const attention of engines.values()) attention.dispose();
});

for (const numbers of kinds) {
  test(`${numbers}: the formula over stored rows, every size`, async () => {
    const attention = (await each()).get("portable") as Whole;
    for (const [headSize, valueSize, S] of [
      [1, 1, 1],
      [2, 7, 5],
      [7, 9, 127],
      [8, 16, 128],
      [31, 33, 129],
      [33, 31, 257],
      [64, 64, 300],
      [80, 96, 131],
      [128, 65, 140],
      [2100, 40, 9],
    ] as const) {
      const [H, Hkv, L] = [4, 2, 3];
      const sizes = { keyValueHeads: Hkv, headSize, valueSize, pageSize: 48 };
      using cache = createCache(attention, { ...sizes, numbers });
      cache.append(rows(Hkv, S, headSize, S), rows(Hkv, S, valueSize, S + 1, 3));
      const query = rows(H, L, headSize, S + 2, 2);
      const { output, logSumExp } = cache.attend(query, { causal: false, logSumExp: true });
      const { key, value } = cache.read();
      const stored = problem(query, key, value);
      const truth = attend(stored);
      const what = `${headSize}/${valueSize} × ${S}`;
      if (numbers === "int16") {
        const draws = naiveDraws(stored, truth, attend);
        const share = shareOfDraws(output.data, truth.output, draws, (s) => s.output, truth.reach);
        assert.ok(share <= 1, `${what}: ${share}`);
        const sums = shareOfDraws(logSumExp.data, truth.logSumExp, draws, (s) => s.logSumExp);
        assert.ok(sums <= 1, `${what}: ${sums}`);
        continue;
      }
      // Queries and weights have 16 bits, 2⁻¹⁶ of their largest off: a few 1e-5 of what they make together.
      assert.ok(relative(output.data, truth.output) < 8e-5, what);
      assert.ok(relative(logSumExp.data, truth.logSumExp) < 8e-5, what);
      for (const [i, x] of output.data.entries())
        assert.ok(Math.abs(x - (truth.output[i] as number)) < 4e-4 * truth.reach, `${what}, ${i}`);
    }
  });

  test(`${numbers}: scores, means and a scoreMod, of one query and of many, as over plain rows`, async () => {
    const attention = (await each()).get("portable") as Whole;
    const [H, Hkv, D, S] = [4, 2, 32, 300];
    using cache = createCache(attention, { keyValueHeads: Hkv, headSize: D, numbers });
    cache.append(rows(Hkv, S, D, 1), rows(Hkv, S, D, 2));
    const { key, value } = cache.read();
    const halved = ({ scores }: { scores: Float32Array }) => {
      for (const [i, s] of scores.entries()) scores[i] = s / 2;
    };
    const options: Omit<CacheAttendOptions, "sequences" | "positions">[] = [
      { weights: "mean", softcap: 2 },
      { scores: "raw" },
      { scores: "capped", softcap: 2 },
      { scores: "biased", window: { left: 20 } },
      { scoreMod: halved },
    ];
    for (const L of [1, 3, 70]) {
      const query = rows(H, L, D, 3, 3);
      for (const asked of options) {
        const got = cache.attend(query, asked) as Partial<Record<string, Tensor>>;
        const want = attention.attend(query, key, value, { ...asked, causal: "lower-right" });
        assert.deepEqual(Object.keys(got), Object.keys(want));
        for (const [name, { data }] of Object.entries(want as Record<string, Tensor>)) {
          for (const [i, x] of data.entries()) {
            const y = got[name]?.data[i] as number;
            assert.ok(x === y || Math.abs(x - y) < 1e-3, `${L}, ${name}: ${y} for ${x}`);
          }
        }
      }
    }
  });

  test(`${numbers}: the same bytes from both builds, of threads, later, and however it is cut`, async () => {
    const [H, Hkv, D, S] = [4, 2, 48, 8300];
    const [k, v] = [rows(Hkv, S, D, 1), rows(Hkv, S, D, 2)];
    const q = rows(H, S, D, 3, 4);
    const alibi = { slopes: [0, 0.01, 0.02, 1] };
    const asked = { softcap: 20, alibi, logSumExp: true } as const;
    let want: { readonly output: Tensor; readonly logSumExp: Tensor } | undefined;
    for (const [name, attention] of await each()) {
      for (const pageSize of [128, 100]) {
        using cache = createCache(attention, {
          keyValueHeads: Hkv,
          headSize: D,
          numbers,
          pageSize,
        });
        cache.append(part(k, 0, 4000), part(v, 0, 4000));
        cache.append(part(k, 4000, S), part(v, 4000, S));
        const last = part(q, S - 70, S);
        const got = cache.attend(last, asked);
        want ??= got;
        same(got.output.data, want.output.data, `${name}, pages of ${pageSize}`);
        same(got.logSumExp.data, want.logSumExp.data, `${name}, pages of ${pageSize}`);
        const later = await cache.attendAsync(last, asked);
        same(later.output.data, want.output.data, `${name}, later`);
        for (const [from, to] of [
          [0, 1],
          [31, 33],
          [69, 70],
        ] as const) {
          const options = { ...asked, queryOffset: S - 70 + from };
          const piece = cache.attend(part(last, from, to), options).output;
          same(piece.data, part(want.output, from, to).data, `${name}, ${from} to ${to}`);
          const single = await cache.attendAsync(part(last, from, to), options);
          same(single.output.data, piece.data, `${name}, ${from} to ${to}, later`);
        }
        cache.truncate(0, S - 69);
        same(
          cache.attend(part(last, 0, 1), asked).output.data,
          part(want.output, 0, 1).data,
          `${name}, the last`,
        );
      }
    }
  });
}

/** Numbers of a normal distribution (Box and Muller 1958). */
function normal(length: number, seed: number): Float32Array {
  const next = random(seed);
  const uniform = () => (next() + 1) / 2 || 0.5;
  return Float32Array.from(
    { length },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

type Triple<T> = [T, T, T];

/** What the kinds of rows do to 1024 normal ones of 64. */
const drawn: Record<string, (k: Float32Array, v: Float32Array, q: Float32Array) => void> = {
  normal: () => {},
  offset: (k) => {
    for (let i = 0; i < k.length; i += 64) for (const c of [3, 17, 40]) k[i + c] += 20;
  },
  outliers: (k) => {
    for (let i = 0; i < k.length; i += 64) for (const c of [3, 17, 40]) k[i + c] *= 20;
  },
  sink: (k, v, q) => {
    // A key that takes nearly all weight and has a tiny value.
    for (let c = 0; c < 64; c++) {
      k[c] = 2.4 * (c < 32 ? 1 : -1);
      v[c] *= 0.01;
    }
    for (let i = 0; i < q.length; i += 64)
      for (let c = 0; c < 64; c++) q[i + c] += (k[c] as number) / 4;
  },
};
const bounds: Record<CacheNumbers, Record<string, number>> = {
  float32: {},
  int16: { normal: 3.5e-5, offset: 1.9e-4, outliers: 2.7e-4, sink: 3.5e-5 },
  int8: { normal: 9.0e-3, offset: 2.6e-2, outliers: 1.8e-2, sink: 9e-3 },
  int4: { normal: 0.14, offset: 0.4, outliers: 0.35, sink: 0.14 },
};

test("errors of what is stored, by the kind of rows", async () => {
  const attention = (await each()).get("portable") as Whole;
  for (const [name, change] of Object.entries(drawn)) {
    const errors = kinds.map(() => 0);
    const draws = [10, 20, 30, 40];
    for (const seed of draws) {
      const [k, v, q] = [1, 2, 3].map((n) => normal(1024 * 64, seed + n)) as Triple<Float32Array>;
      change(k, v, q);
      const [key, value, all] = [k, v, q].map((x) => tensor(x, [1, 1, 1024, 64])) as Triple<Tensor>;
      const query = part(all, 0, 32);
      const truth = attend(problem(query, key, value)).output;
      for (const [index, numbers] of kinds.entries()) {
        using cache = createCache(attention, { keyValueHeads: 1, headSize: 64, numbers });
        cache.append(key, value);
        const { output } = cache.attend(query, { causal: false });
        errors[index]! += relative(output.data, truth) / draws.length;
      }
    }
    for (const [index, numbers] of kinds.entries()) {
      const [error, bound] = [errors[index] as number, bounds[numbers][name] as number];
      assert.ok(error < bound, `${name}, ${numbers}: ${error} of ${bound}`);
    }
  }
});
