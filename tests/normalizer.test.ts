// attend and what is built on it with a normalizer: the bits of sparseAttend, weights that functions change, the layer and
// its gradients, packed sequences, latents.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AttendOptions,
  attendPacked,
  attendPackedAsync,
  attendQkv,
  linear,
  MultiHeadAttention,
  prepareLinear,
  type ScoreTile,
  type Tensor,
  tensor,
} from "wasm-attention";
import {
  attendBackward,
  attendBackwardAsync,
  attendPackedBackward,
  multiHeadBackward,
  type ScoreGradientTile,
} from "wasm-attention/training";
import {
  alphaEntmax,
  attendLatent,
  attendLatentAsync,
  entmax15,
  modifiedWeights,
  type Normalizer,
  sparseAttend,
  sparseAttendBackward,
  sparsemax,
  type WeightGradientTile,
  type WeightTile,
} from "wasm-attention/variants";
import { bitsOf, engine, randomArray, randomTensor, variants } from "./engines";
import { along, differences, dot, type HeadSizes, modifiedHeads } from "./reference-modified";

const normalizers: [Normalizer, number | number[]][] = [
  [sparsemax, 2],
  [entmax15, 1.5],
  [alphaEntmax(1.25), 1.25],
  [alphaEntmax([1.5, 2, 1.1, 3]), [1.5, 2, 1.1, 3]],
];

for (const variant of variants) {
  test(`in every layout the bits of sparseAttend, ${variant}`, async () => {
    const one = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    const { used } = one.memory;
    const cases: [AttendOptions, number[], number[]][] = [
      [{ causal: true }, [2, 4, 70, 8], [2, 2, 70, 8]],
      [{ window: { left: 20 }, softcap: 3 }, [4, 130, 16], [4, 150, 16]],
      [{ layout: "BLHD", keyLengths: [9, 150] }, [2, 30, 4, 8], [2, 150, 1, 8]],
      [{ layout: "BLE", heads: 4, keyValueHeads: 2 }, [2, 33, 32], [2, 129, 16]],
    ];
    for (const [normalizer, alpha] of normalizers)
      for (const [options, q, k] of cases) {
        const [query, key] = [randomTensor(q, 1, 3), randomTensor(k, 2, 3)];
        const asked = { ...options, weights: true } as const;
        const want = bitsOf(sparseAttend(one, query, key, key, { ...asked, alpha }));
        const given = { ...asked, normalizer };
        assert.deepEqual(bitsOf(one.attend(query, key, key, given)), want);
        assert.deepEqual(bitsOf(two.attend(query, key, key, given)), want);
        assert.deepEqual(bitsOf(await one.attendAsync(query, key, key, given)), want);
        assert.deepEqual(bitsOf(await two.attendAsync(query, key, key, given)), want);
      }
    assert.equal(one.memory.used, used);
    const qkv = randomTensor([2, 20, 3, 4, 8], 3);
    const part = (n: number) => {
      const rows = Array.from({ length: 40 }, (_, t) => [
        ...qkv.data.subarray((t * 3 + n) * 32, (t * 3 + n + 1) * 32),
      ]);
      return tensor(Float32Array.from(rows.flat()), [2, 20, 4, 8]);
    };
    const fused = attendQkv(one, qkv, { normalizer: entmax15, causal: true });
    const apart = one.attend(part(0), part(1), part(2), {
      ...{ layout: "BLHD", normalizer: entmax15, causal: true },
    });
    assert.deepEqual(fused, apart);
    two.dispose();
  });

  test(`packed sequences, and their gradients, are those of each alone, ${variant}`, async () => {
    const attention = await engine(variant);
    const ends = [0, 70, 70, 75, 200];
    const [query, key, dy] = [
      randomTensor([200, 4, 8], 1, 3),
      randomTensor([200, 2, 8], 2, 3),
      randomTensor([200, 4, 8], 3),
    ];
    const normalizer = alphaEntmax([1.5, 2, 1.1, 3]);
    const options = { cumulativeQueries: ends, causal: true, normalizer } as const;
    const { output } = attendPacked(attention, query, key, key, options);
    const later = await attendPackedAsync(attention, query, key, key, options);
    assert.deepEqual(later.output, output);
    const pass = { query, key, value: key, outputGradient: dy };
    const got = attendPackedBackward(attention, pass, options);
    const alphas = new Float64Array(4);
    for (let n = 1; n < ends.length; n++) {
      const rows = ({ data, dims }: Tensor) => {
        const size = dims[1] * dims[2];
        const part = data.slice(ends[n - 1] * size, ends[n] * size);
        return tensor(part, [ends[n] - ends[n - 1], dims[1], dims[2]]);
      };
      const own = { layout: "BLHD", causal: true, normalizer } as const;
      const alone = attention.attend(rows(query), rows(key), rows(key), own);
      assert.deepEqual(rows(output).data, alone.output.data);
      const given = { query: rows(query), key: rows(key), value: rows(key) };
      const back = attendBackward(attention, { ...given, outputGradient: rows(dy) }, own);
      for (const name of ["queryGradient", "keyGradient", "valueGradient"] as const)
        assert.deepEqual(rows(got[name]).data, back[name].data, name);
      back.alphaGradient?.data.forEach((g, h) => {
        alphas[h] += g;
      });
    }
    got.alphaGradient?.data.forEach((g, h) => assert.ok(Math.abs(g - alphas[h]) < 1e-4));
  });

  test(`attendBackward goes back by the normalizer, as sparseAttendBackward, ${variant}`, async () => {
    const attention = await engine(variant);
    const [query, key, dy] = [1, 2, 3].map((seed) => randomTensor([1, 4, 40, 8], seed, 2));
    for (const [normalizer, alpha] of normalizers) {
      const pass = {
        ...{ query, key, value: key, outputGradient: dy },
        weightsGradient: randomTensor([1, 4, 40, 40], 5),
      };
      const want = bitsOf(sparseAttendBackward(attention, pass, { alpha, causal: true }));
      const options = { normalizer, causal: true };
      assert.deepEqual(bitsOf(attendBackward(attention, pass, options)), want);
      assert.deepEqual(bitsOf(await attendBackwardAsync(attention, pass, options)), want);
    }
  });

  test(`a layer with a normalizer, and its gradients by differences, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    const [heads, rows, size] = [2, 5, 6];
    const names = ["query", "key", "value", "output"] as const;
    const matrices = names.map((_, seed) => randomTensor([size, size], seed + 1, 0.9));
    const projection = (n: number) => ({ weight: matrices[n], order: "in,out" }) as const;
    const weights = Object.fromEntries(names.map((name, n) => [name, projection(n)]));
    const layer = new MultiHeadAttention(attention, { heads }, weights as never);
    const held = attention.memory.used;
    const x = randomTensor([rows, size], 9, 2);
    const dy = randomTensor([rows, size], 10);
    for (const [normalizer, alpha] of normalizers.slice(0, 3)) {
      const options = { causal: true, normalizer, weights: true } as const;
      const { output, weights: p, record } = layer.forward(x, { ...options, record: true });
      const linears = matrices.map((m) => prepareLinear(attention, m, { order: "in,out" }));
      const [q, k, v] = linears.map((prepared) => linear(attention, x, prepared));
      const sparse = { layout: "BLE", heads, alpha, causal: true, weights: true } as const;
      const inside = sparseAttend(attention, q, k, v, sparse);
      const want = linear(attention, inside.output, linears[3]);
      for (const prepared of linears) prepared.dispose();
      assert.deepEqual(bitsOf({ output, p }), bitsOf({ output: want, p: inside.weights }));
      const async = await layer.forwardAsync(x, options);
      assert.deepEqual(async.output, output);
      const got = multiHeadBackward(layer, dy, record);

      const exact = [x, ...matrices].map(({ data }) => Float64Array.from(data));
      const [input, ...mats] = exact;
      const times = (a: ArrayLike<number>, m: Float64Array) =>
        Float64Array.from({ length: rows * size }, (_, at) => {
          let sum = 0;
          for (let d = 0; d < size; d++) sum += a[Math.floor(at / size) * size + d] * m[d * size + (at % size)];
          return sum;
        });
      const byHeads = (a: Float64Array) =>
        a.map((_, at) => {
          const [h, i, d] = [Math.floor(at / (rows * 3)), Math.floor(at / 3) % rows, at % 3];
          return a[i * size + h * 3 + d];
        });
      const sizes: HeadSizes = {
        ...{ batch: 1, heads, keyValueHeads: heads, queries: rows, keys: rows, depth: 3, columns: 3 },
      };
      const loss = () => {
        const [query, key, value] = [0, 1, 2].map((n) => byHeads(times(input, mats[n])));
        const [o] = modifiedHeads(sizes, { query, key, value }, () => ({
          scale: 1 / Math.sqrt(3),
          alpha: alpha as number,
          visible: (i, j) => j <= i,
        }));
        const mixed = Float64Array.from({ length: rows * size }, (_, at) => {
          const [i, e] = [Math.floor(at / size), at % size];
          return o[(Math.floor(e / 3) * rows + i) * 3 + (e % 3)];
        });
        return dot(times(mixed, mats[3]), dy.data);
      };
      const all = [got.queryGradient, ...names.map((name) => got.weights[name].weight)];
      for (const [n, gradient] of all.entries()) {
        const wanted = differences(exact[n], loss, 1e-6);
        const largest = wanted.reduce((most, g) => Math.max(most, Math.abs(g)), 1);
        wanted.forEach((g, i) => {
          const error = Math.abs(gradient.data[i] - g) / largest;
          assert.ok(error < 3e-5, `${n} of ${alpha}: ${gradient.data[i]} for ${g}`);
        });
      }
      assert.deepEqual(got.alphaGradient?.dims, [heads]);
      assert.equal(attention.memory.used, held);
    }
    layer.dispose();
    assert.equal(attention.memory.used, used);
  });
}

interface ModForm {
  alpha?: number;
  causal?: boolean;
  softcap?: number;
  weightMod?: boolean;
  scoreMod?: boolean;
}

const modForms: ModForm[] = [
  { weightMod: true },
  { weightMod: true, alpha: 1.5, causal: true },
  { alpha: 2, softcap: 2 },
  { alpha: 1.5, scoreMod: true, softcap: 3 },
  { weightMod: true, scoreMod: true, causal: true, softcap: 2 },
];
const modSizes: HeadSizes[] = [
  { batch: 1, heads: 1, keyValueHeads: 1, queries: 1, keys: 1, depth: 1, columns: 1 },
  { batch: 2, heads: 4, keyValueHeads: 2, queries: 3, keys: 5, depth: 3, columns: 2 },
  { batch: 1, heads: 2, keyValueHeads: 1, queries: 67, keys: 131, depth: 9, columns: 7 },
];

for (const variant of variants) {
  test(`functions on weights and scores, there and back, against differences, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [index, sizes] of modSizes.entries())
      for (const [number, form] of modForms.entries()) {
        const { batch, heads, keyValueHeads, queries, keys, depth, columns } = sizes;
        const seed = 100 * index + 10 * number + 1;
        const query = randomTensor([batch, heads, queries, depth], seed, 2);
        const key = randomTensor([batch, keyValueHeads, keys, depth], seed + 1, 2);
        const value = randomTensor([batch, keyValueHeads, keys, columns], seed + 2);
        const factor = randomArray(3, seed + 3);
        const shift = randomArray(5, seed + 4);
        const [of, to] = [(i: number) => factor[i % 3], (j: number) => shift[j % 5]];
        // w → w² + factor · w + shift, s → s · factor + shift.
        const weightMod = ({ weights, query: first, key: from, columns: wide }: WeightTile) => {
          for (let at = 0; at < weights.length; at++) {
            const [i, j] = [first + Math.floor(at / wide), from + (at % wide)];
            weights[at] = weights[at] ** 2 + of(i) * weights[at] + to(j);
          }
        };
        const weightModGradient = ({ weights, gradients, query: first, columns: wide }: WeightGradientTile) => {
          for (let at = 0; at < weights.length; at++)
            gradients[at] *= 2 * weights[at] + of(first + Math.floor(at / wide));
        };
        const scoreMod = ({ scores, query: first, key: from, columns: wide }: ScoreTile) => {
          for (let at = 0; at < scores.length; at++)
            scores[at] = scores[at] * of(first + Math.floor(at / wide)) + to(from + (at % wide));
        };
        const learnt = { factor: new Float64Array(3), shift: new Float64Array(5) };
        const scoreModGradient = ({ scores, gradients, query: first, key: from, columns: wide }: ScoreGradientTile) => {
          for (let at = 0; at < scores.length; at++) {
            const [i, j] = [first + Math.floor(at / wide), from + (at % wide)];
            learnt.factor[i % 3] += gradients[at] * scores[at];
            learnt.shift[j % 5] += gradients[at];
            gradients[at] *= of(i);
          }
        };
        const made = form.alpha === undefined ? undefined : alphaEntmax(form.alpha);
        const normalizer = form.weightMod
          ? modifiedWeights({ weightMod, weightModGradient, normalizer: made })
          : (made as Normalizer);
        const options = {
          ...{ causal: form.causal, softcap: form.softcap, normalizer },
          ...(form.scoreMod && { scoreMod }),
        };
        const got = attention.attend(query, key, value, { ...options, weights: true });
        const later = await attention.attendAsync(query, key, value, { ...options, weights: true });
        assert.deepEqual(bitsOf(later), bitsOf(got));
        const exact = (x: Tensor | Float32Array) => Float64Array.from("dims" in x ? x.data : x);
        const numbers = {
          query: exact(query),
          key: exact(key),
          value: exact(value),
          ...(form.scoreMod && !form.weightMod && { factor: exact(factor), shift: exact(shift) }),
        };
        const f = (i: number) => numbers.factor?.[i % 3] ?? of(i);
        const s = (j: number) => numbers.shift?.[j % 5] ?? to(j);
        const truth = () =>
          modifiedHeads(sizes, numbers, () => ({
            scale: 1 / Math.sqrt(depth),
            softcap: form.softcap ?? 0,
            alpha: form.alpha ?? 0,
            visible: (i, j) => !form.causal || j <= i,
            scoreMod: form.scoreMod ? (score, i, j) => score * f(i) + s(j) : undefined,
            weightMod: form.weightMod ? (w, i, j) => w ** 2 + of(i) * w + to(j) : undefined,
          }));
        const [output, weights] = truth();
        const what = JSON.stringify({ sizes, form });
        output.forEach((x, i) => assert.ok(Math.abs(got.output.data[i] - x) < 1e-4, what));
        weights.forEach((x, i) => assert.ok(Math.abs(got.weights.data[i] - x) < 2e-5, what));
        const outputGradient = randomTensor(got.output.dims, 11);
        const weightsGradient = randomTensor(got.weights.dims, 12);
        const pass = { query, key, value, outputGradient, weightsGradient };
        const back = attendBackward(attention, pass, {
          ...options,
          ...(form.scoreMod && { scoreModGradient }),
        });
        const loss = () => {
          const [o, w] = truth();
          return dot(o, outputGradient.data) + dot(w, weightsGradient.data);
        };
        const all: Record<string, ArrayLike<number>> = {
          query: back.queryGradient.data,
          key: back.keyGradient.data,
          value: back.valueGradient.data,
          ...(numbers.factor && learnt),
        };
        for (const [name, gradient] of Object.entries(all)) {
          const moved = numbers[name as "query"];
          for (const drawn of [5, 6, 7]) {
            const direction = randomArray(moved.length, drawn);
            const want = along(moved, direction, loss);
            const size = direction.reduce((sum, x, i) => sum + Math.abs(x * gradient[i]), 1);
            const error = Math.abs(dot(gradient, direction) - want) / size;
            assert.ok(error < 2e-5, `${name} of ${what}: ${dot(gradient, direction)} for ${want}`);
          }
        }
        assert.equal(attention.memory.used, used);
      }
  });

  test(`weights that a function changes stay 0 where nothing is seen, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = randomTensor([1, 1, 70, 4], 1);
    const value = randomTensor([1, 1, 70, 3], 2);
    value.data.fill(Number.NaN, 69 * 3);
    const ones = modifiedWeights({ weightMod: ({ weights }) => void weights.fill(1) });
    const given = { causal: true, normalizer: ones, weights: true, queryLengths: [60] } as const;
    const { weights, output } = attention.attend(x, x, value, given);
    weights.data.forEach((w, at) => {
      const [i, j] = [Math.floor(at / 70), at % 70];
      assert.equal(w, i < 60 && j <= i ? 1 : 0);
    });
    assert.ok(output.data.every(Number.isFinite));
    const fail = modifiedWeights({
      weightMod: () => {
        throw new Error("of mine");
      },
    });
    const out = new Float32Array(70 * 3).fill(7);
    const { used } = attention.memory;
    assert.throws(() => attention.attend(x, x, value, { normalizer: fail, out }), /of mine/);
    assert.ok(out.every((y) => y === 7));
    assert.equal(attention.memory.used, used);
  });

  test(`latents: values are the first numbers of their keys, ${variant}`, async () => {
    const one = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    const { used } = one.memory;
    for (const [batch, heads, rows, keys, depth, size] of [
      [2, 4, 70, 150, 24, 16],
      [1, 16, 1, 300, 36, 32],
      [1, 3, 5, 0, 8, 8],
      [1, 2, 3, 9, 7, 1],
    ]) {
      const query = randomTensor([batch, heads, rows, depth], 1);
      const latent = randomTensor([batch, 1, keys, depth], 2);
      const value = tensor(
        latent.data.filter((_, at) => at % depth < size),
        [batch, 1, keys, size],
      );
      for (const options of [{}, { causal: "lower-right", logSumExp: true }, { normalizer: entmax15 }] as const) {
        const want = bitsOf(one.attend(query, latent, value, options));
        const asked = { ...options, valueSize: size };
        assert.deepEqual(bitsOf(attendLatent(one, query, latent, asked)), want);
        assert.deepEqual(bitsOf(attendLatent(two, query, latent, asked)), want);
        assert.deepEqual(bitsOf(await attendLatentAsync(one, query, latent, asked)), want);
        using inside = one.allocate(latent.dims);
        inside.data.set(latent.data);
        assert.deepEqual(bitsOf(attendLatent(one, query, inside, asked)), want);
      }
    }
    // Two heads of latents side by side.
    const query = randomTensor([3, 4 * 6], 3);
    const latent = randomTensor([7, 2 * 6], 4);
    const value = tensor(
      latent.data.filter((_, at) => at % 6 < 5),
      [7, 2 * 5],
    );
    const sides = { layout: "BLE", heads: 4, keyValueHeads: 2 } as const;
    assert.deepEqual(
      attendLatent(one, query, latent, { ...sides, valueSize: 5 }),
      one.attend(query, latent, value, sides),
    );
    assert.equal(one.memory.used, used);
    two.dispose();
  });
}
