// monotonicAttention, weightedSum and locationSensitiveAttention against float64 from the formulas.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  type LocationState,
  locationSensitiveAttention,
  locationSensitiveAttentionAsync,
  monotonicAttention,
  monotonicAttentionAsync,
  monotonicBackward,
  weightedSum,
  weightedSumAsync,
  weightedSumBackward,
  weightedSumBackwardAsync,
} from "wasm-attention/variants";
import { bitsOf, engine, random, randomArray, randomTensor, variants } from "./engines";
import { monotonicRow, variantHead } from "./reference-variants";

const rowsOf = (data: ArrayLike<number>, size: number) =>
  Array.from({ length: data.length / size }, (_, i) =>
    Array.from({ length: size }, (_, j) => data[i * size + j]),
  );
const near = (got: ArrayLike<number>, want: ArrayLike<number>, allowed: number, what = "") => {
  assert.equal(got.length, want.length);
  for (let i = 0; i < want.length; i++)
    assert.ok(Math.abs(got[i] - want[i]) <= allowed, `${what} ${i}: ${got[i]} for ${want[i]}`);
};
const start = (keys: number) => Array.from({ length: keys }, (_, j) => (j ? 0 : 1));
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

for (const variant of variants) {
  test(`alignments are exact, p near 0 and 1, 2,000 keys long, ${variant}`, async () => {
    const attention = await engine(variant);
    const [steps, keys] = [12, 2000];
    const draws: Record<string, (next: () => number) => number> = {
      any: (next) => (next() + 1) / 2,
      small: (next) => 1e-6 * (next() + 1),
      large: (next) => 1 - 1e-6 * (next() + 1),
      certain: (next) => (next() > 0.99 ? 1 : 0),
      mixed: (next) => (next() > 0.9 ? 1 - 1e-7 : 1e-7),
    };
    for (const [name, drawn] of Object.entries(draws)) {
      const next = random(name.length);
      const p = Float32Array.from({ length: steps * keys }, () => drawn(next));
      const want = monotonicRow(rowsOf(p, keys), start(keys), keys);
      const given = tensor(p, [steps, keys]);
      const recursive = monotonicAttention(attention, given);
      // The largest is 1; each step starts from the float32 of the one before.
      near(recursive.data, want.flat(), 2e-7 * steps, name);
      const parallel = monotonicAttention(attention, given, { mode: "parallel" });
      assert.deepEqual(parallel.data, recursive.data);
      const sums = want.map((row) => row.reduce((a, b) => a + b, 0));
      rowsOf(recursive.data, keys).forEach((row, i) => {
        const sum = row.reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - sums[i]) < 1e-5, `${name}: a row of ${sum} for ${sums[i]}`);
      });
    }
  });

  test(`of logits, by steps, hard, with lengths, and gradients, ${variant}`, async () => {
    const attention = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    const [batch, steps, keys] = [2, 4, 7];
    for (const logits of [false, true])
      for (const keyLengths of [undefined, [7, 4]])
        for (const started of [false, true]) {
          const numbers = Float64Array.from(randomArray(batch * steps * keys, 5), (x) =>
            logits ? Math.fround(4 * x) : Math.fround((x + 1) / 2),
          );
          const first = Float64Array.from(randomArray(batch * keys, 6), (x) => (x + 1) / 8);
          const previous = tensor(Float32Array.from(first), [batch, keys]);
          first.set(previous.data);
          const options = { logits, keyLengths, ...(started && { previous }) };
          const truth = () =>
            Array.from({ length: batch }, (_, b) => {
              const rows = rowsOf(numbers.subarray(b * steps * keys, (b + 1) * steps * keys), keys);
              const p = logits ? rows.map((row) => row.map(sigmoid)) : rows;
              const before = started
                ? Array.from(first.subarray(b * keys, (b + 1) * keys))
                : start(keys);
              return monotonicRow(p, before, keyLengths?.[b] ?? keys).flat();
            }).flat();
          const probabilities = tensor(Float32Array.from(numbers), [batch, steps, keys]);
          const alignment = monotonicAttention(attention, probabilities, options);
          near(alignment.data, truth(), 5e-7);
          const later = await monotonicAttentionAsync(two, probabilities, options);
          assert.deepEqual(later.data, alignment.data);

          const alignmentGradient = randomTensor([batch, steps, keys], 7);
          const pass = { probabilities, alignment, alignmentGradient };
          const got = monotonicBackward(attention, pass, options);
          const loss = () => truth().reduce((sum, a, i) => sum + a * alignmentGradient.data[i], 0);
          const differences = (moved: Float64Array) =>
            Float64Array.from(moved, (x, i, step = 1e-6) => {
              moved[i] = x + step;
              const above = loss();
              moved[i] = x - step;
              const below = loss();
              moved[i] = x;
              return (above - below) / (2 * step);
            });
          near(got.probabilitiesGradient.data, differences(numbers), 4e-6, "probabilities");
          assert.equal(got.previousGradient !== undefined, started);
          if (got.previousGradient) near(got.previousGradient.data, differences(first), 4e-6);

          // One step after another, of one row.
          const own = { logits, keyLengths: keyLengths?.slice(0, 1) };
          let state = started ? tensor(previous.data.slice(0, keys), [1, keys]) : undefined;
          for (let step = 0; step < steps; step++) {
            const row = probabilities.data.slice(step * keys, (step + 1) * keys);
            const next = monotonicAttention(attention, tensor(row, [1, 1, keys]), {
              ...own,
              previous: state,
            });
            assert.deepEqual(next.data, alignment.data.slice(step * keys, (step + 1) * keys));
            state = tensor(next.data, [1, keys]);
          }
        }
    const hard = monotonicAttention(
      attention,
      tensor(Float32Array.of(0, 0.6, 0, 0.9, 0.7, 0.8, 0, 0.6, 0, 0.1, 0, 0), [3, 4]),
      { mode: "hard" },
    );
    assert.deepEqual([...hard.data], [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for (const p of [0, 1]) {
      const { data } = monotonicAttention(attention, tensor(new Float32Array(6).fill(p), [2, 3]));
      assert.deepEqual([...data], p ? [1, 0, 0, 1, 0, 0] : [0, 0, 0, 0, 0, 0]);
    }
    two.dispose();
  });

  test(`weightedSum and its gradients, ${variant}`, async () => {
    const attention = await engine(variant);
    const two = await engine(variant, { threads: 2 });
    for (const [batch, rows, keys, size] of [
      [1, 1, 1, 1],
      [3, 17, 35, 9],
      [2, 40, 300, 50],
    ]) {
      const weights = randomTensor([batch, rows, keys], 1);
      const value = randomTensor([batch, keys, size], 2);
      const dy = randomTensor([batch, rows, size], 3);
      const at = (x: Tensor, b: number, i: number, j: number) =>
        x.data[(b * x.dims[1] + i) * x.dims[2] + j];
      const want = {
        output: new Float64Array(batch * rows * size),
        weights: new Float64Array(weights.data.length),
        value: new Float64Array(value.data.length),
      };
      for (let b = 0; b < batch; b++)
        for (let i = 0; i < rows; i++)
          for (let j = 0; j < keys; j++)
            for (let c = 0; c < size; c++) {
              want.output[(b * rows + i) * size + c] += at(weights, b, i, j) * at(value, b, j, c);
              want.weights[(b * rows + i) * keys + j] += at(dy, b, i, c) * at(value, b, j, c);
              want.value[(b * keys + j) * size + c] += at(weights, b, i, j) * at(dy, b, i, c);
            }
      const allowed = 3e-7 * Math.max(keys, rows, size);
      const output = weightedSum(attention, weights, value);
      near(output.data, want.output, allowed);
      const back = weightedSumBackward(attention, dy, weights, value);
      near(back.weightsGradient.data, want.weights, allowed);
      near(back.valueGradient.data, want.value, allowed);
      assert.deepEqual((await weightedSumAsync(two, weights, value)).data, output.data);
      const later = await weightedSumBackwardAsync(two, dy, weights, value);
      assert.deepEqual(bitsOf(later), bitsOf(back));
    }
    two.dispose();
  });

  test(`location-sensitive attention by steps, Tacotron 2's sizes too, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [batch, keys, depth, columns, count, width] of [
      [2, 9, 5, 3, 2, 4],
      [1, 150, 128, 40, 32, 31],
    ]) {
      const key = randomTensor([batch, keys, depth], 1);
      const value = randomTensor([batch, keys, columns], 2);
      const filters = randomTensor([count, 2, width], 3);
      const locationWeight = randomTensor([count, depth], 4, 0.5);
      const [scoreWeight, scoreBias] = [randomArray(depth, 5), randomArray(depth, 6)];
      const lengths = Array.from({ length: batch }, (_, b) => keys - 2 * b);
      const options = { filters, locationWeight, scoreWeight, scoreBias, keyLengths: lengths };
      const before = Array.from({ length: batch }, () => [
        start(keys).map(() => 0),
        start(keys).map(() => 0),
      ]);
      let state: LocationState | undefined;
      for (const seed of [11, 12, 13]) {
        const query = randomTensor([batch, depth], seed);
        const step = locationSensitiveAttention(attention, query, key, value, {
          ...options,
          state,
        });
        const again = await locationSensitiveAttentionAsync(attention, query, key, value, {
          ...options,
          state,
        });
        assert.deepEqual(again.weights.data, step.weights.data);
        state = step.state;
        for (let b = 0; b < batch; b++) {
          const moved = Float64Array.from({ length: keys * depth }, (_, i) => {
            const [j, d] = [Math.floor(i / depth), i % depth];
            let sum = key.data[(b * keys + j) * depth + d];
            for (let f = 0; f < count; f++)
              for (let channel = 0; channel < 2; channel++)
                for (let t = 0; t < width; t++) {
                  const weight = before[b][channel][j + t - Math.floor((width - 1) / 2)] ?? 0;
                  sum +=
                    locationWeight.data[f * depth + d] *
                    filters.data[(f * 2 + channel) * width + t] *
                    weight;
                }
            return sum;
          });
          const want = variantHead({
            ...{ queries: 1, keys, depth, columns, scale: 1, alpha: 0 },
            query: query.data.subarray(b * depth, (b + 1) * depth),
            key: moved,
            value: value.data.subarray(b * keys * columns, (b + 1) * keys * columns),
            weight: scoreWeight,
            bias: scoreBias,
            visible: (_, j) => j < lengths[b],
          });
          near(step.weights.data.subarray(b * keys, (b + 1) * keys), want.weights, 1e-5);
          near(step.output.data.subarray(b * columns, (b + 1) * columns), want.output, 1e-5);
          const [, sums] = before[b];
          before[b] = [want.weights, sums.map((sum, j) => sum + want.weights[j])];
          near(step.state.cumulative.data.subarray(b * keys, (b + 1) * keys), before[b][1], 3e-5);
        }
      }
    }
    using query = attention.allocate([1, 4]);
    query.data.fill(0.5);
    const rows = randomTensor([1, 3, 4], 1);
    const inPlace = locationSensitiveAttention(attention, query, rows, rows, {
      filters: randomTensor([2, 2, 3], 2),
      locationWeight: randomTensor([2, 4], 3),
    });
    assert.deepEqual(inPlace.output.dims, [1, 4]);
    query.dispose();
    assert.equal(attention.memory.used, used);
  });
}
