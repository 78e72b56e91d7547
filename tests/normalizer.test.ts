// attend and what is built on it with a normalizer: the bits of sparseAttend, the layer and its gradients, packed
// sequences.

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
  type Tensor,
  tensor,
} from "wasm-attention";
import {
  attendBackward,
  attendBackwardAsync,
  attendPackedBackward,
  multiHeadBackward,
} from "wasm-attention/training";
import {
  alphaEntmax,
  entmax15,
  type Normalizer,
  sparseAttend,
  sparseAttendBackward,
  sparsemax,
} from "wasm-attention/variants";
import { bitsOf, engine, randomTensor, variants } from "./engines";
import { differences, dot, type HeadSizes, modifiedHeads } from "./reference-modified";

/** Options of both. */
type Given = Pick<
  AttendOptions,
  "causal" | "window" | "softcap" | "layout" | "heads" | "keyValueHeads" | "keyLengths"
>;

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
    const cases: [Given, number[], number[]][] = [
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
    for (const [h, alpha] of alphas.entries())
      assert.ok(Math.abs((got.alphaGradient as Tensor).data[h] - alpha) < 1e-4);
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
          for (let d = 0; d < size; d++)
            sum += a[Math.floor(at / size) * size + d] * m[d * size + (at % size)];
          return sum;
        });
      const byHeads = (a: Float64Array) =>
        a.map((_, at) => {
          const [h, i, d] = [Math.floor(at / (rows * 3)), Math.floor(at / 3) % rows, at % 3];
          return a[i * size + h * 3 + d];
        });
      const sizes: HeadSizes = {
        ...{
          batch: 1,
          heads,
          keyValueHeads: heads,
          queries: rows,
          keys: rows,
          depth: 3,
          columns: 3,
        },
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
