// Hard numbers: huge and equal logits, what is not finite, denormals, and empty sizes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AttendOptions, mergeStates, tensor } from "wasm-attention";
import { engine, randomArray, variants } from "./engines";

const column = (...values: number[]) => tensor(Float32Array.from(values), [values.length, 1]);

for (const variant of variants) {
  const run = async (
    query: number[],
    key: number[],
    value: number[],
    options: AttendOptions = {},
  ) => {
    const attention = await engine(variant);
    const { output, logSumExp } = attention.attend(
      column(...query),
      column(...key),
      column(...value),
      {
        scale: 1,
        logSumExp: true,
        ...options,
      },
    );
    return { output: [...output.data], logSumExp: [...logSumExp!.data] };
  };

  test(`logits of ±1e30: the largest takes all, ties share, ${variant}`, async () => {
    const { output, logSumExp } = await run([1e15, -1e15, 0], [1e15, -1e15, 1e15], [1, 2, 3]);
    const largest = Math.fround(Math.fround(1e15) ** 2);
    assert.deepEqual(output, [2, 2, 2]);
    assert.deepEqual(logSumExp.slice(0, 2), [largest, largest]);
    assert.ok(Math.abs(logSumExp[2] - Math.log(3)) < 2e-7);
  });

  test(`a soft cap holds the hugest logits, and what is not finite, ${variant}`, async () => {
    const { output, logSumExp } = await run([1e15], [1e15, -1e15], [1, 2], { softcap: 2 });
    const share = 1 / (1 + Math.exp(-4));
    assert.ok(Math.abs(output[0] - (share + 2 * (1 - share))) < 4e-7);
    assert.ok(Math.abs(logSumExp[0] - Math.log(Math.exp(2) + Math.exp(-2))) < 4e-7);
    const endless = await run([1], [Infinity, 0], [1, 2], { softcap: 2 });
    const top = Math.exp(2) / (Math.exp(2) + 1);
    assert.ok(Math.abs(endless.output[0] - (top + 2 * (1 - top))) < 4e-7, "tanh ∞ = 1");
    const lost = await run([1, 0.5], [NaN, 0], [1, 2], { softcap: 2 });
    assert.deepEqual(lost.output, [NaN, NaN]);
  });

  test(`equal logits give the mean, whatever their size, ${variant}`, async () => {
    for (const size of [0, 1, -50, 3e38]) {
      const { output } = await run([1, 0], [size, size, size, size], [1, 2, 3, 4]);
      assert.deepEqual(output, [2.5, 2.5]);
    }
  });

  test(`NaN and Infinity in what a row sees reach that row and no other, ${variant}`, async () => {
    const causal = await run([1, 1, 1, 1], [0, 0, NaN, 0], [1, 2, 3, 4], { causal: true });
    assert.deepEqual(causal.output, [1, 1.5, NaN, NaN]);
    assert.deepEqual((await run([1, NaN, 1], [0, 0], [1, 2])).output, [1.5, NaN, 1.5]);
    const endless = await run([1, 1, 1], [0, 0, 0], [1, 2, Infinity], { causal: true });
    assert.deepEqual(endless.output, [1, 1.5, Infinity]);
    // e^(∞ − ∞) is NaN: softmax has no value where a visible score is +∞.
    const top = await run([1, 1], [0, Infinity], [1, 2], { causal: true });
    assert.deepEqual(top.output, [1, NaN]);
  });

  test(`a weight that underflows still lets a visible NaN through, ${variant}`, async () => {
    const { output } = await run([1], [0, -1000], [1, NaN]);
    assert.deepEqual(output, [NaN]);
  });

  test(`NaN and Infinity behind every kind of mask stay there, ${variant}`, async () => {
    const masks: AttendOptions[] = [
      { keyLengths: [2] },
      { mask: { data: Uint8Array.of(1, 1, 0), dims: [3] } },
      { mask: { data: Float32Array.of(0, 0, -Infinity), dims: [3] } },
      { causal: true, queryOffset: 1 },
      { window: { right: 1 } },
      { window: { left: 9, right: 0 }, queryOffset: 1 },
      { mask: { data: Int32Array.of(1, 1, 0), dims: [3] } },
      { mask: { data: Uint8Array.of(1, 1), dims: [2], shorter: true } },
      { blockMask: { data: Uint8Array.of(1, 1, 0), dims: [1, 1, 1, 3], size: 1 } },
    ];
    for (const options of masks)
      for (const bad of [NaN, Infinity, -Infinity]) {
        const { output } = await run([1], [0, 0, bad], [1, 2, bad], options);
        assert.deepEqual(output, [1.5]);
        const more = { softcap: 4, alibi: { slopes: [0] }, sinks: [-Infinity], scores: "capped" };
        const all = await run([1], [0, 0, bad], [1, 2, bad], {
          ...options,
          ...more,
        } as AttendOptions);
        assert.deepEqual(all.output, [1.5]);
      }
  });

  test(`rows that see nothing give 0 and −Infinity, ${variant}`, async () => {
    const attention = await engine(variant);
    const x = tensor(randomArray(2 * 5 * 3, 1), [1, 2, 5, 3]);
    const { output, weights, logSumExp } = attention.attend(x, x, x, {
      causal: true,
      queryOffset: -2,
      weights: true,
      logSumExp: true,
    });
    for (const h of [0, 1]) {
      assert.deepEqual(output.data.slice(h * 15, h * 15 + 6), new Float32Array(6));
      assert.deepEqual(weights!.data.slice(h * 25, h * 25 + 10), new Float32Array(10));
      assert.deepEqual([...logSumExp!.data.slice(h * 5, h * 5 + 2)], [-Infinity, -Infinity]);
      assert.ok(output.data.slice(h * 15 + 6, h * 15 + 15).every((y) => y !== 0));
    }
  });

  test(`a row that sees only its sink gives 0, and the sink as logSumExp, ${variant}`, async () => {
    const lone = await run([1, 1], [0, 0], [1, 2], { causal: true, queryOffset: -1, sinks: [2.5] });
    assert.equal(lone.output[0], 0);
    assert.equal(lone.logSumExp[0], 2.5);
    assert.ok(Math.abs(lone.logSumExp[1] - Math.log(Math.exp(2.5) + 1)) < 4e-7);
  });

  // Every road: one query, a tile of them, more; one span of keys and several.
  const roads = [1, 3, 65].flatMap((rows) => [129, 4224].map((keys) => [rows, keys]));

  test(`scores of NaN that a row sees stay, wherever they are, ${variant}`, async () => {
    for (const threads of [1, 2])
      for (const [rows, keys] of roads) {
        using attention = await engine(variant, { threads });
        const filled = (n: number, x: number) => tensor(new Float32Array(n * 64).fill(x), [n, 64]);
        const [query, value] = [filled(rows, 0.3), filled(keys, 1)];
        const holds = (from: number, to: number, options: AttendOptions = {}) => {
          const key = filled(keys, 0.2);
          key.data.fill(NaN, from * 64, to * 64);
          const asked = { ...options, logSumExp: true, weights: true } as const;
          const { output, logSumExp, weights } = attention.attend(query, key, value, asked);
          const where = `${rows} × ${keys}, keys ${from} to ${to} of ${threads} threads`;
          assert.ok(output.data.every(Number.isNaN), `output, ${where}`);
          assert.ok(logSumExp!.data.every(Number.isNaN), `logSumExp, ${where}`);
          assert.ok(weights!.data.every(Number.isNaN), `weights, ${where}`);
          const part = { output, logSumExp: logSumExp! };
          const clean = attention.attend(query, filled(keys, 0.2), value, { logSumExp: true });
          for (const parts of [
            [part, clean],
            [clean, part],
          ]) {
            const merged = mergeStates(attention, parts as (typeof part)[]);
            assert.ok(merged.output.data.every(Number.isNaN), `merged, ${where}`);
            assert.ok(merged.logSumExp.data.every(Number.isNaN), `merged lse, ${where}`);
          }
        };
        const seen = Uint8Array.from({ length: keys }, (_, j) => +(j === 5 || j >= 128));
        holds(0, 128);
        holds(128, Math.min(256, keys));
        holds(keys - 1, keys);
        holds(5, 6, { mask: { data: seen, dims: [keys] } });
        if (keys > 4096) holds(0, 4096);
      }
  });

  test(`rows past queryLengths are 0, whatever masked keys hold, ${variant}`, async () => {
    for (const threads of [1, 2])
      for (const [rows, keys] of roads) {
        using attention = await engine(variant, { threads });
        const of = (n: number, x: number) =>
          tensor(new Float32Array(n * 64).fill(x), [1, 1, n, 64]);
        for (const [bad, size] of [
          [NaN, 1],
          [Infinity, 1],
          [1e30, 1e30],
        ]) {
          const [query, key, value] = [of(rows, size), of(keys, 0), of(keys, 2)];
          key.data.fill(bad, (keys - 1) * 64);
          if (size === 1) value.data.fill(bad, (keys - 1) * 64);
          const mask = new Uint8Array(keys).fill(1, 0, keys - 1);
          const options = {
            mask: { data: mask, dims: [keys] },
            queryLengths: [rows - 1],
            logSumExp: true,
            weights: true,
          } as const;
          const { output, logSumExp, weights } = attention.attend(query, key, value, options);
          const where = `${rows} × ${keys}, ${bad}, ${threads} threads`;
          const [padded, visible] = [output.data.slice(-64), output.data.slice(0, -64)];
          assert.deepEqual(padded, new Float32Array(64), where);
          assert.ok(
            visible.every((x) => Math.abs(x - 2) < 1e-5),
            where,
          );
          assert.equal(logSumExp!.data[rows - 1], -Infinity, where);
          assert.deepEqual(weights!.data.slice(-keys), new Float32Array(keys), where);
        }
      }
  });

  test(`NaN in any one column of a masked key or value stays there, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const rows of [1, 3, 65])
      for (let column = 0; column < 43; column++) {
        const of = (n: number, seed: number) => tensor(randomArray(n * 43, seed), [n, 43]);
        const [q, k, v] = [of(rows, 1), of(140, 2), of(140, 3)];
        const mask = { data: new Uint8Array(140).fill(1, 0, 139), dims: [140] };
        const want = attention.attend(q, k, v, { mask }).output.data;
        for (const { data } of [k, v]) data[139 * 43 + column] = NaN;
        const got = attention.attend(q, k, v, { mask }).output.data;
        const where = `column ${column} of ${rows} rows`;
        for (const [i, x] of got.entries()) assert.ok(Math.abs(x - want[i]) < 1e-5, where);
      }
  });

  // What float32 holds, as the options' and semantics.md's words have it.
  test(`scale · query and sums of values are float32 numbers, ${variant}`, async () => {
    const near = (got: number, want: number) =>
      assert.ok(Math.abs(got / want - 1) < 1e-6, `${got}`);
    near(
      (await run([1e30], [1e-38, 0], [1, 2], { scale: 1e8 })).output[0],
      1.5 - Math.tanh(0.5) / 2,
    );
    near((await run([1e20], [1e-18], [1])).logSumExp[0], 100);
    assert.deepEqual((await run([1e30], [1e-38], [1], { scale: 1e10 })).output, [NaN]);
    near((await run([0], [0, 0], [1.7e38, 1.7e38])).output[0], 1.7e38);
    assert.deepEqual((await run([0], [0, 0], [3e38, 3e38])).output, [Infinity]);
  });

  test(`denormal inputs and a bias of the least and largest numbers, ${variant}`, async () => {
    const tiny = 2 ** -149;
    const { output } = await run([tiny, 1], [tiny, -tiny], [2, 4]);
    assert.deepEqual(output, [3, 3]);
    const most = 3.4028234663852886e38;
    const far = await run([0], [0, 0], [2, 4], {
      mask: { data: Float32Array.of(-most, most), dims: [2] },
    });
    assert.deepEqual(far.output, [4]);
  });

  test(`empty batches, queries and keys, ${variant}`, async () => {
    const attention = await engine(variant);
    const zeros = (...dims: number[]) =>
      tensor(new Float32Array(dims.reduce((a, b) => a * b)), dims);
    const options = { weights: true, logSumExp: true, causal: true } as const;
    const noKeys = attention.attend(
      zeros(1, 1, 3, 4),
      zeros(1, 1, 0, 4),
      zeros(1, 1, 0, 5),
      options,
    );
    assert.deepEqual(noKeys.output, zeros(1, 1, 3, 5));
    assert.deepEqual(noKeys.weights?.dims, [1, 1, 3, 0]);
    assert.deepEqual([...noKeys.logSumExp!.data], [-Infinity, -Infinity, -Infinity]);
    const noQueries = attention.attend(
      zeros(2, 1, 0, 4),
      zeros(2, 1, 3, 4),
      zeros(2, 1, 3, 4),
      options,
    );
    assert.deepEqual(noQueries.output.dims, [2, 1, 0, 4]);
    const noBatch = attention.attend(
      zeros(0, 2, 3, 4),
      zeros(0, 2, 3, 4),
      zeros(0, 2, 3, 4),
      options,
    );
    assert.deepEqual(
      [noBatch.output.dims, noBatch.logSumExp?.dims],
      [
        [0, 2, 3, 4],
        [0, 2, 3],
      ],
    );
  });
}
