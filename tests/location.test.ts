// locationSensitiveAttention against its formula in float64, and its gradients, through steps that hand their state
// on, against central differences of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  type LocationGradients,
  type LocationState,
  locationSensitiveAttention,
  locationSensitiveAttentionAsync,
  locationSensitiveAttentionBackward,
  locationSensitiveAttentionBackwardAsync,
} from "wasm-attention/variants";
import { draw, type LocationForm, type LocationSizes } from "./checks/location";
import { bitsOf, engine, randomTensor, variants, type Whole } from "./engines";
import { shareOfTolerance } from "./reference";

const sizesOf: readonly LocationSizes[] = [
  { batch: 1, keys: 1, depth: 1, columns: 1, filters: 1, width: 1 },
  { batch: 2, keys: 7, depth: 5, columns: 3, filters: 2, width: 3 },
  { batch: 1, keys: 13, depth: 4, columns: 6, filters: 3, width: 4 },
  { batch: 3, keys: 5, depth: 9, columns: 4, filters: 2, width: 31 },
];

const formsOf = (batch: number, keys: number): LocationForm[] => [
  {},
  { alpha: 1.5 },
  { lengths: Array.from({ length: batch }, (_, b) => Math.max(keys - b - 1, 1)) },
];

/** A step's results or gradients, their state beside them. */
const flat = <Own extends { state: LocationState } | { stateGradient: LocationState }>(
  own: Own,
) => {
  const { previous, cumulative } = "state" in own ? own.state : own.stateGradient;
  const { state, stateGradient, ...others } = own as Record<string, unknown>;
  return bitsOf({ ...others, previous, cumulative });
};

/** All steps forward, and what each was given. */
function forward(
  attention: Whole,
  { queries, key, value, options, first }: ReturnType<typeof draw>,
) {
  let state = first;
  return queries.map((query) => {
    const given = { ...options, state };
    const result = locationSensitiveAttention(attention, query, key, value, given);
    state = result.state;
    return { query, given, result };
  });
}

for (const variant of variants) {
  test(`steps against float64, ${variant}`, async () => {
    const attention = await engine(variant);
    for (const [index, sizes] of sizesOf.entries())
      for (const form of formsOf(sizes.batch, sizes.keys)) {
        // The threshold of entmax turns roundings of a step into others of the next: one step of it.
        const problem = draw(sizes, form, 100 * index + 3, form.alpha ? 1 : 3);
        const [want, naive] = [problem.truth(), problem.truth(Math.fround)];
        for (const [step, { result }] of forward(attention, problem).entries()) {
          const got = { ...result, cumulative: result.state.cumulative };
          for (const name of ["output", "weights", "cumulative"] as const) {
            const reach = form.alpha ? 1 : 0;
            const share = shareOfTolerance(
              got[name].data,
              want[step][name],
              [naive[step][name]],
              reach,
            );
            const what = JSON.stringify({ sizes, form, step });
            assert.ok(share <= 1, `${name} of ${what}: ${share} of the tolerance`);
          }
          assert.deepEqual(result.state.previous.data, result.weights.data);
        }
      }
  });

  test(`gradients through three steps are those of differences, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [index, sizes] of sizesOf.entries())
      for (const form of formsOf(sizes.batch, sizes.keys)) {
        const problem = draw(sizes, form, 100 * index + 41);
        const { batch, keys, columns, depth } = sizes;
        const { key, value, numbers, truth } = problem;
        const steps = forward(attention, problem);
        const outputs = steps.map((_, step) => randomTensor([batch, columns], 900 + step));
        const weights = steps.map((_, step) => randomTensor([batch, keys], 910 + step));
        const last = {
          previous: randomTensor([batch, keys], 920),
          cumulative: randomTensor([batch, keys], 921),
        };
        const like = (x: Tensor) => new Float32Array(x.data.length);
        const out = {
          ...{ key: like(key), value: like(value) },
          ...{ filters: like(problem.filters), locationWeight: like(problem.location) },
        };
        const sums = { weight: new Float64Array(depth), bias: new Float64Array(depth) };
        const ofQueries: Float32Array[] = [];
        let stateGradient: LocationState = last;
        for (const [step, { query, given }] of [...steps.entries()].reverse()) {
          const pass = {
            ...{ query, key, value, outputGradient: outputs[step] },
            ...{ weightsGradient: weights[step], stateGradient },
          };
          const target = { ...given, out, accumulate: true };
          const back = locationSensitiveAttentionBackward(attention, pass, target);
          stateGradient = back.stateGradient;
          ofQueries.unshift(back.queryGradient.data);
          back.scoreWeightGradient.data.forEach((x, d) => {
            sums.weight[d] += x;
          });
          back.scoreBiasGradient.data.forEach((x, d) => {
            sums.bias[d] += x;
          });
          assert.equal(back.alphaGradient !== undefined, form.alpha !== undefined);
        }
        const loss = () =>
          truth().reduce((sum, { output, weights: seen, cumulative }, step) => {
            const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
              Array.from(a).reduce((total, x, i) => total + x * b[i], 0);
            const own = dot(output, outputs[step].data) + dot(seen, weights[step].data);
            if (step < steps.length - 1) return sum + own;
            const state = dot(seen, last.previous.data) + dot(cumulative, last.cumulative.data);
            return sum + own + state;
          }, 0);
        const all = {
          ...{ key: out.key, value: out.value, filters: out.filters, location: out.locationWeight },
          ...{ weight: sums.weight, bias: sums.bias },
          query: Float32Array.from(ofQueries.flatMap((x) => Array.from(x))),
          previous: stateGradient.previous.data,
          cumulative: stateGradient.cumulative.data,
        };
        for (const [name, gradient] of Object.entries(all)) {
          const moved = numbers[name as keyof typeof numbers];
          const want = moved.map((x, i) => {
            const step = 1e-6;
            moved[i] = x + step;
            const above = loss();
            moved[i] = x - step;
            const below = loss();
            moved[i] = x;
            return (above - below) / (2 * step);
          });
          const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
          assert.equal(gradient.length, want.length, name);
          want.forEach((x, i) => {
            const error = Math.abs(gradient[i] - x) / largest;
            const what = `${name}[${i}] of ${JSON.stringify({ sizes, form })}`;
            assert.ok(error < 2e-5, `${what}: ${gradient[i]} for ${x}`);
          });
        }
        assert.equal(attention.memory.used, used);
      }
  });

  test(`threads, asynchronous calls and linear memory change no bit, ${variant}`, async () => {
    const [one, two] = [await engine(variant), await engine(variant, { threads: 2 })];
    const sizes = { batch: 3, keys: 301, depth: 64, columns: 40, filters: 32, width: 31 };
    const { queries, key, value, options, first } = draw(sizes, { lengths: [301, 77, 5] }, 7, 1);
    const given = { ...options, state: first };
    const [query] = queries;
    const pass = {
      ...{ query, key, value, outputGradient: randomTensor([3, 40], 8) },
      stateGradient: {
        previous: randomTensor([3, 301], 9),
        cumulative: randomTensor([3, 301], 10),
      },
    };
    const step = locationSensitiveAttention(one, query, key, value, given);
    const back = locationSensitiveAttentionBackward(one, pass, given);
    for (const attention of [one, two]) {
      const later = await locationSensitiveAttentionAsync(attention, query, key, value, given);
      assert.deepEqual(flat(later), flat(step));
      assert.deepEqual(
        flat(locationSensitiveAttentionBackward(attention, pass, given)),
        flat(back),
      );
      const backLater = await locationSensitiveAttentionBackwardAsync(attention, pass, given);
      assert.deepEqual(flat(backLater), flat(back));
    }
    // Every tensor in linear memory, and gradients written into what they are of.
    const inside = (x: Tensor) => {
      const allocated = one.allocate(x.dims);
      allocated.data.set(x.data);
      return allocated;
    };
    const [q, k, v] = [inside(query), inside(key), inside(value)];
    const [filters, locationWeight] = [inside(options.filters), inside(options.locationWeight)];
    const moved = { ...given, filters, locationWeight };
    const from = { ...pass, query: q, key: k, value: v };
    const out = { query: q, key: k, value: v, filters, locationWeight };
    const got = locationSensitiveAttentionBackward(one, from, { ...moved, out });
    for (const name of ["query", "key", "value", "filters", "locationWeight"] as const) {
      const gradient = `${name}Gradient` as const;
      assert.equal(got[gradient], out[name]);
      assert.deepEqual(out[name].data.slice(), back[gradient].data, name);
      out[name].dispose();
    }
    two.dispose();
  });

  test(`keys past a length have no gradient, whatever they hold, ${variant}`, async () => {
    const attention = await engine(variant);
    const sizes = { batch: 1, keys: 9, depth: 6, columns: 4, filters: 2, width: 3 };
    const { queries, key, value, options, first } = draw(sizes, { lengths: [6] }, 61, 1);
    const pass = { query: queries[0], key, value, outputGradient: randomTensor([1, 4], 5) };
    const given = { ...options, state: first };
    const clean = locationSensitiveAttentionBackward(attention, pass, given);
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      const spoilt = ({ data, dims }: Tensor) => tensor(data.slice().fill(bad, 6 * dims[2]), dims);
      const from = { ...pass, key: spoilt(key), value: spoilt(value) };
      const got: LocationGradients = locationSensitiveAttentionBackward(attention, from, given);
      assert.deepEqual(flat(got), flat(clean));
    }
    for (const { data } of [clean.keyGradient, clean.valueGradient])
      assert.ok(data.subarray((data.length * 6) / 9).every((x) => x === 0));
  });
}
