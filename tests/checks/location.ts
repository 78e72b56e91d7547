// Drawn steps of locationSensitiveAttention, and their truth batch by batch.

import { type Tensor, tensor } from "wasm-attention";
import type { LocationOptions, LocationState } from "wasm-attention/variants";
import { randomTensor } from "../engines";
import { locationStep, type Round } from "../reference-variants";

export interface LocationSizes {
  batch: number;
  keys: number;
  depth: number;
  columns: number;
  filters: number;
  width: number;
}
export interface LocationForm {
  alpha?: number;
  lengths?: readonly number[];
}

/** Steps that follow one another, drawn, and their truth. */
export function draw(sizes: LocationSizes, form: LocationForm, seed: number, steps = 3) {
  const { batch, keys, depth, columns, filters, width } = sizes;
  const tensors = {
    key: randomTensor([batch, keys, depth], seed),
    value: randomTensor([batch, keys, columns], seed + 1),
    filters: randomTensor([filters, 2, width], seed + 2),
    location: randomTensor([filters, depth], seed + 3),
    weight: randomTensor([depth], seed + 4, 2),
    bias: randomTensor([depth], seed + 5),
    query: randomTensor([steps, batch, depth], seed + 6),
    previous: randomTensor([batch, keys], seed + 7, 0.3),
    cumulative: randomTensor([batch, keys], seed + 8, 0.5),
  };
  const exactly = ({ data }: Tensor) => Float64Array.from(data);
  const entries = Object.entries(tensors).map(([name, x]) => [name, exactly(x)]);
  const numbers = Object.fromEntries(entries) as Record<keyof typeof tensors, Float64Array>;
  const options: LocationOptions = {
    filters: tensors.filters,
    locationWeight: tensors.location,
    scoreWeight: tensors.weight,
    scoreBias: tensors.bias.data,
    keyLengths: form.lengths,
    alpha: form.alpha,
  };
  const first: LocationState = { previous: tensors.previous, cumulative: tensors.cumulative };
  const queryOf = (x: Float32Array | Float64Array, step: number) =>
    x.subarray(step * batch * depth, (step + 1) * batch * depth);
  const truth = (round?: Round) => {
    const results = Array.from({ length: steps }, () => ({
      output: [] as number[],
      weights: [] as number[],
      cumulative: [] as number[],
    }));
    for (let b = 0; b < batch; b++) {
      const part = (x: Float64Array) =>
        x.subarray((b * x.length) / batch, ((b + 1) * x.length) / batch);
      let [previous, cumulative]: ArrayLike<number>[] = [
        part(numbers.previous),
        part(numbers.cumulative),
      ];
      for (const [step, result] of results.entries()) {
        const got = locationStep(
          {
            ...{ filters: numbers.filters, location: numbers.location, width },
            ...{ weight: numbers.weight, bias: numbers.bias, previous, cumulative },
            ...{ key: part(numbers.key), value: part(numbers.value) },
            query: part(queryOf(numbers.query, step) as Float64Array),
            length: form.lengths?.[b] ?? keys,
            alpha: form.alpha ?? 0,
          },
          round,
        );
        [previous, cumulative] = [got.weights, got.cumulative];
        for (const name of ["output", "weights", "cumulative"] as const)
          result[name].push(...got[name]);
      }
    }
    return results;
  };
  const queries = Array.from({ length: steps }, (_, step) =>
    tensor(queryOf(tensors.query.data, step) as Float32Array, [batch, depth]),
  );
  return { ...tensors, queries, options, first, numbers, truth };
}
