// Gradients of LocationSensitiveAttention, through steps that hand their state on and the memory, against differences
// of the formula in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tensor, tensor } from "wasm-attention";
import {
  type LocationLayerGradients,
  LocationSensitiveAttention,
  locationLayerBackward,
  locationLayerBackwardAsync,
  locationMemoryBackward,
  locationMemoryBackwardAsync,
} from "wasm-attention/variants";
import { B, D, draw, Eq, L, near, S } from "./checks/variant-layers";
import { bitsOf, engine, randomTensor, variants, type Whole } from "./engines";
import { differences, dot } from "./reference-modified";
import { locationStep } from "./reference-variants";

const [filterCount, width] = [2, 3];

interface Form {
  scaled: boolean;
  biased: boolean;
  own: boolean;
  alpha?: number;
}

/** A layer, its steps forward, what reaches their results, and the truth of the loss. */
function problem(attention: Whole, { scaled, biased, own, alpha }: Form) {
  const drawn = draw(scaled, biased);
  const { tensors, weights, heads } = drawn;
  const filters = randomTensor([filterCount, 2, width], 40);
  const locationWeight = randomTensor([filterCount, D], 41);
  const numbers = {
    ...drawn.numbers,
    filters: Float64Array.from(filters.data),
    locationWeight: Float64Array.from(locationWeight.data),
  };
  const layer = new LocationSensitiveAttention(attention, { ...weights, filters, locationWeight });
  const memory = layer.memory(tensors.key, own ? tensors.value : undefined);
  const queries = Array.from({ length: L }, (_, step) => {
    const rows = Array.from({ length: B }, (_, b) => [
      ...tensors.query.data.subarray((b * L + step) * Eq, (b * L + step + 1) * Eq),
    ]);
    return tensor(Float32Array.from(rows.flat()), [B, Eq]);
  });
  const given = { keyLengths: [S, S - 2], alpha };
  let state: ReturnType<typeof layer.step>["state"] | undefined;
  const steps = queries.map((query, step) => {
    const options = { ...given, state };
    const result = layer.step(query, memory, options);
    state = result.state;
    const reaching = {
      outputGradient: randomTensor(result.output.dims, 50 + step),
      weightsGradient: randomTensor(result.weights.dims, 60 + step),
    };
    return { query, options, result, reaching };
  });
  const last = { previous: randomTensor([B, S], 70), cumulative: randomTensor([B, S], 71) };
  const truth = () => {
    const results = steps.map(() => ({
      output: [] as number[],
      weights: [] as number[],
      cumulative: [] as number[],
    }));
    for (const [b, head] of heads(own, () => true).entries()) {
      let [previous, cumulative]: ArrayLike<number>[] = [new Float64Array(S), new Float64Array(S)];
      for (const [step, result] of results.entries()) {
        const got = locationStep({
          ...{ filters: numbers.filters, location: numbers.locationWeight, width },
          ...{ weight: head.weight, bias: head.bias ?? new Float64Array(D) },
          ...{ previous, cumulative, key: head.key, value: head.value },
          query: head.query.slice(step * D, (step + 1) * D),
          length: given.keyLengths[b],
          alpha: alpha ?? 0,
        });
        [previous, cumulative] = [got.weights, got.cumulative];
        for (const name of ["output", "weights", "cumulative"] as const)
          result[name].push(...got[name]);
      }
    }
    return results;
  };
  const loss = () =>
    truth().reduce((sum, { output, weights: seen, cumulative }, step) => {
      const { outputGradient, weightsGradient } = steps[step].reaching;
      const here = dot(output, outputGradient.data) + dot(seen, weightsGradient.data);
      if (step < L - 1) return sum + here;
      return sum + here + dot(seen, last.previous.data) + dot(cumulative, last.cumulative.data);
    }, 0);
  return { ...{ tensors, numbers, layer, memory, steps, last, truth, loss }, own };
}

const flat = ({ weights, memoryGradient, stateGradient, ...rest }: LocationLayerGradients) => ({
  ...rest,
  ...{ memoryKey: memoryGradient.key, memoryValue: memoryGradient.value, ...stateGradient },
  ...{ queryWeight: weights.query.weight, scoreWeight: weights.scoreWeight },
  ...(weights.query.bias && { queryBias: weights.query.bias }),
  ...(weights.scoreBias && { scoreBias: weights.scoreBias }),
  ...{ filters: weights.filters, locationWeight: weights.locationWeight },
});

for (const variant of variants) {
  for (const form of [
    { scaled: false, biased: false, own: true },
    { scaled: true, biased: true, own: false },
    { scaled: true, biased: false, own: true, alpha: 1.5 },
  ])
    test(`gradients through ${L} steps, ${JSON.stringify(form)}, ${variant}`, async () => {
      const attention = await engine(variant);
      const { used } = attention.memory;
      const all = problem(attention, form);
      const { tensors, numbers, layer, memory, steps, last, truth, loss, own } = all;
      const held = attention.memory.used;
      for (const [step, exact] of truth().entries()) {
        near(steps[step].result.output.data, exact.output, 4e-6, "output");
        near(steps[step].result.weights.data, exact.weights, 4e-6, "weights");
      }
      const ofQueries: Tensor[] = [];
      let after: LocationLayerGradients | undefined;
      for (const { query, options, reaching } of steps.toReversed()) {
        const end = after ? { after } : { stateGradient: last };
        const pass = { query, memory, ...reaching, ...end };
        const before = after && structuredClone(flat(after));
        const got: LocationLayerGradients = locationLayerBackward(layer, pass, options);
        if (after && before) assert.deepEqual(flat(after), before, "what it goes on from is kept");
        const later = await locationLayerBackwardAsync(layer, pass, options);
        assert.deepEqual(bitsOf(flat(later)), bitsOf(flat(got)));
        assert.equal(later.weights.scoreScale, got.weights.scoreScale);
        assert.equal(got.alphaGradient !== undefined, form.alpha !== undefined);
        ofQueries.unshift(got.queryGradient);
        after = got;
      }
      const { memoryGradient, weights } = after as LocationLayerGradients;
      const ofMemory = { key: tensors.key, ...(own && { value: tensors.value }), memoryGradient };
      const back = locationMemoryBackward(layer, ofMemory);
      const backLater = await locationMemoryBackwardAsync(layer, ofMemory);
      assert.deepEqual(backLater, back);
      assert.equal(back.valueGradient !== undefined, own);
      const queryGradient = new Float32Array(B * L * Eq);
      for (const [step, { data }] of ofQueries.entries())
        for (let b = 0; b < B; b++)
          queryGradient.set(data.subarray(b * Eq, (b + 1) * Eq), (b * L + step) * Eq);
      const named: [keyof typeof numbers, Float32Array | undefined, boolean][] = [
        ["query", queryGradient, true],
        ["key", back.keyGradient.data, true],
        ["value", back.valueGradient?.data, own],
        ["queryWeight", weights.query.weight.data, true],
        ["keyWeight", back.weights.key.weight.data, true],
        ["keyBias", back.weights.key.bias?.data, form.biased],
        ["scoreWeight", weights.scoreWeight.data, true],
        ["scoreBias", weights.scoreBias?.data, form.biased],
        ["filters", weights.filters.data, true],
        ["locationWeight", weights.locationWeight.data, true],
      ];
      for (const [name, gradient, wanted] of named) {
        assert.equal(gradient !== undefined, wanted, name);
        if (gradient) near(gradient, differences(numbers[name], loss), 2e-5, name);
      }
      assert.equal(weights.scoreScale !== undefined, form.scaled);
      if (form.scaled)
        near(
          [weights.scoreScale ?? NaN],
          differences(numbers.scoreScale, loss),
          2e-5,
          "scoreScale",
        );
      assert.equal(attention.memory.used, held);
      layer.dispose();
      const [{ query, options, reaching }] = steps;
      const gone = { name: "DisposedError", argument: "layer" };
      const pass = { query, memory, ...reaching };
      assert.throws(() => locationLayerBackward(layer, pass, options), gone);
      assert.throws(() => locationMemoryBackward(layer, ofMemory), gone);
      assert.equal(attention.memory.used, used);
    });

  test(`bare views of linear memory that grows meanwhile, ${variant}`, async () => {
    const attention = await engine(variant);
    const { layer, memory, steps } = problem(attention, { scaled: true, biased: true, own: true });
    const [, { query, options, reaching, result }] = steps;
    const pass = { query, memory, ...reaching };
    const want = locationLayerBackward(layer, { ...pass, stateGradient: result.state }, options);
    const after = locationLayerBackward(layer, { ...pass, after: want }, options);
    const inside = ({ data, dims }: Tensor): Tensor => {
      const allocated = attention.allocate(dims);
      allocated.data.set(data);
      return allocated;
    };
    /** Every tensor of it, as `of` makes it. */
    const each = <Given extends object>(given: Given, of: (x: Tensor) => Tensor): Given =>
      Object.fromEntries(
        Object.entries(given).map(([name, x]) => {
          if (typeof x !== "object" || x === null || Array.isArray(x)) return [name, x];
          return [name, "dims" in x ? of(x as Tensor) : each(x, of)];
        }),
      ) as Given;
    const bare = <Given extends object>(given: Given) =>
      each(given, ({ data, dims }) => ({ data, dims }));
    const placed = each({ pass: { ...pass, after: want }, options }, inside);
    /** Leaves nothing, so that the first block of a call makes memory grow, which ends every view of it. */
    const fill = () => {
      const { reserved } = attention.memory;
      while (attention.memory.reserved === reserved) attention.allocate([1]);
      const grown = attention.memory.reserved;
      // A block has 64 bytes at least; all that grew is free but for one.
      attention.allocate([(grown - reserved - 64) / 4]);
      assert.equal(attention.memory.reserved, grown);
      return grown;
    };
    let before = fill();
    const seen = bare(placed);
    const got = locationLayerBackward(layer, seen.pass, seen.options);
    assert.ok(attention.memory.reserved > before);
    assert.equal(seen.pass.query.data.length, 0);
    assert.deepEqual(bitsOf(flat(got)), bitsOf(flat(after)));
    before = fill();
    const again = bare(placed);
    const step = layer.step(again.pass.query, again.pass.memory, again.options);
    assert.ok(attention.memory.reserved > before);
    assert.deepEqual(step.output.data, layer.step(query, memory, options).output.data);
    attention.dispose();
  });
}
