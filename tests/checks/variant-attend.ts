// Drawn problems of sparseAttend and additiveAttention in layout BHLD, and their truth head by head.

import type { Tensor } from "wasm-attention";
import type { AdditiveOptions, SpanOptions, SparseAttendOptions } from "wasm-attention/variants";
import { randomArray, randomTensor } from "../engines";
import { type Round, variantHead } from "../reference-variants";

export interface AttendSizes {
  batch: number;
  heads: number;
  keyValueHeads: number;
  queries: number;
  keys: number;
  depth: number;
  columns: number;
}

export interface AttendForm {
  kind: "sparse" | "additive" | "span";
  /** Of each head; none for softmax. */
  alpha?: number | readonly number[] | undefined;
  causal?: boolean;
  window?: number | undefined;
  lengths?: readonly number[] | undefined;
  masked?: boolean;
  /** v and b of each head. */
  perHead?: boolean;
  amplitude?: number;
  /** Of each head, and the ramp behind. */
  spans?: readonly number[] | undefined;
  ramp?: number;
}

export function drawAttend(sizes: AttendSizes, form: AttendForm, seed: number) {
  const { batch, heads, keyValueHeads, queries, keys, depth, columns } = sizes;
  const query = randomTensor([batch, heads, queries, depth], seed, form.amplitude ?? 2);
  const key = randomTensor([batch, keyValueHeads, keys, depth], seed + 1, form.amplitude ?? 2);
  const value = randomTensor([batch, keyValueHeads, keys, columns], seed + 2);
  const wide = form.perHead ? heads * depth : depth;
  const weight = randomArray(wide, seed + 3, 2);
  const bias = randomArray(wide, seed + 4);
  const mask = Uint8Array.from(randomArray(queries * keys, seed + 5), (x) => (x > -0.3 ? 1 : 0));
  const alphas = Array.from({ length: heads }, (_, h) =>
    typeof form.alpha === "object" ? form.alpha[h] : (form.alpha ?? 0),
  );
  const additive = form.kind === "additive";
  const shared = {
    causal: form.causal,
    window: form.window === undefined ? undefined : { left: form.window },
    keyLengths: form.lengths,
    mask: form.masked ? { data: mask, dims: [queries, keys] } : undefined,
    ...(form.alpha !== undefined && { alpha: form.alpha }),
  };
  const sparse: SparseAttendOptions = shared;
  const added: AdditiveOptions = { ...shared, scoreWeight: vector(weight), scoreBias: bias };
  const spanned = { ...shared, spans: form.spans ?? [], ramp: form.ramp } as SpanOptions;
  const tensors = { query, key, value };
  const exactly = (x: ArrayLike<number>) => Float64Array.from(x);
  /** What the truth is of: to be moved for differences. */
  const numbers = {
    query: exactly(query.data),
    key: exactly(key.data),
    value: exactly(value.data),
    weight: exactly(weight),
    bias: exactly(bias),
    alpha: exactly(alphas),
    spans: exactly(form.spans ?? []),
  };
  const part = (name: keyof typeof tensors, b: number, h: number) => {
    const { dims } = tensors[name];
    const size = dims[2] * dims[3];
    return numbers[name].subarray((b * dims[1] + h) * size, (b * dims[1] + h + 1) * size);
  };
  const truth = (round?: Round, first = 0, tanh?: (x: number) => number) => {
    const output: number[] = [];
    const weights: number[] = [];
    for (let b = 0; b < batch; b++)
      for (let h = 0; h < heads; h++) {
        const from = form.perHead ? h * depth : 0;
        const read = Math.floor((h * keyValueHeads) / heads);
        const head = variantHead(
          {
            ...{ queries, keys, depth, columns, first, scale: 1 / Math.sqrt(depth) },
            // Up to sparsemax weights move no faster than scores.
            tanh: numbers.alpha[h] > 2 ? tanh : undefined,
            query: part("query", b, h),
            key: part("key", b, read),
            value: part("value", b, read),
            weight: additive ? numbers.weight.subarray(from, from + depth) : undefined,
            bias: additive ? numbers.bias.subarray(from, from + depth) : undefined,
            alpha: numbers.alpha[h],
            span: form.spans && { z: numbers.spans[h], ramp: form.ramp ?? 32 },
            visible: (i, j) =>
              j < (form.lengths?.[b] ?? keys) &&
              (!form.causal || j <= i) &&
              (form.window === undefined || j >= i - form.window) &&
              (!form.masked || mask[i * keys + j] === 1),
          },
          round,
        );
        output.push(...head.output);
        weights.push(...head.weights);
      }
    return { output, weights };
  };
  return { query, key, value, sparse, added, spanned, numbers, truth };
}

const vector = (data: Float32Array): Tensor => ({ data, dims: [data.length] });
