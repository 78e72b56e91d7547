// The other attentions as tfa, Keras, NVIDIA's Tacotron 2 and entmax have them.

import { type Tensor, tensor } from "wasm-attention";
import {
  AdditiveAttention,
  additiveAttention,
  alphaNormmax,
  budget,
  entmax,
  entmaxBackward,
  LocationSensitiveAttention,
  type LocationState,
  monotonicAttention,
  sparseAttend,
} from "wasm-attention/variants";
import type { Whole } from "../engines";
import { type Case, floats, input, numbers, pick } from "./case";

const given = (c: Case, name: string) => floats(input(c, name));
const needed = (c: Case, name: string) => given(c, name) as Tensor;

export function entmaxOf(engine: Whole, c: Case): (Tensor | undefined)[] {
  const { axis, alpha = 2 } = c.attributes;
  const x = needed(c, "x");
  const p = entmax(engine, x, { axis, alpha });
  // tfa gives NaN for a row of −Infinity only, where 0 stands here.
  const size = x.dims.at(-1) as number;
  if (c.name.startsWith("tfa_"))
    for (let i = 0; i < x.data.length; i += size)
      if (x.data.subarray(i, i + size).every((value) => value === -Infinity))
        p.data.fill(Number.NaN, i, i + size);
  const gradient = given(c, "output_gradient");
  return [p, gradient && entmaxBackward(engine, gradient, p, { axis, alpha }).inputGradient];
}

export function normmaxOf(engine: Whole, c: Case): Tensor[] {
  const { axis, alpha } = c.attributes;
  return [entmax(engine, needed(c, "x"), { axis, normalizer: alphaNormmax(alpha) })];
}

export function budgetOf(engine: Whole, c: Case): Tensor[] {
  const { axis, budget: total } = c.attributes;
  return [entmax(engine, needed(c, "x"), { axis, normalizer: budget(total) })];
}

export function alphaGradient(engine: Whole, c: Case): Tensor[] {
  const { axis, alpha } = c.attributes;
  const p = entmax(engine, needed(c, "x"), { axis, alpha });
  const [wanted] = c.outputs;
  const gradient = entmaxBackward(engine, needed(c, "output_gradient"), p, { axis, alpha });
  return [tensor(Float32Array.of(gradient.alphaGradient), wanted?.shape ?? [])];
}

/** Row by row: the Jacobian times each unit vector. */
export function sparsemaxJacobian(engine: Whole, c: Case): Tensor[] {
  const p = entmax(engine, needed(c, "x"), { alpha: 2 });
  const [wanted] = c.outputs;
  const size = p.dims.at(-1) as number;
  const columns = Array.from({ length: size }, (_, k) => {
    const unit = tensor(
      p.data.map((_, i) => (i % size === k ? 1 : 0)),
      p.dims,
    );
    return entmaxBackward(engine, unit, p, { alpha: 2 }).inputGradient.data;
  });
  const data = Float32Array.from({ length: p.data.length * size }, (_, i) => {
    const row = Math.floor(i / (size * size));
    return columns[i % size][row * size + (Math.floor(i / size) % size)];
  });
  return [tensor(data, wanted?.shape ?? [])];
}

export function entmaxAttention(engine: Whole, c: Case): Tensor[] {
  const { alpha, causal_offset } = c.attributes;
  const { output, weights } = sparseAttend(
    engine,
    needed(c, "query"),
    needed(c, "key"),
    needed(c, "value"),
    { alpha, causal: true, queryOffset: causal_offset, weights: true },
  );
  return [output, weights];
}

const matrix = (c: Case, name: string) => ({ weight: needed(c, name), order: "in,out" }) as const;

export function bahdanau(engine: Whole, c: Case): Tensor[] {
  const lengths = input(c, "memory_lengths");
  using layer = new AdditiveAttention(engine, {
    query: matrix(c, "query_kernel"),
    key: matrix(c, "memory_kernel"),
    scoreWeight: needed(c, "v"),
    scoreScale: given(c, "g")?.data[0],
    scoreBias: given(c, "b"),
  });
  const inputs = { query: needed(c, "query"), key: needed(c, "memory") };
  const options = { weights: "mean", keyLengths: lengths && numbers(lengths) } as const;
  const { output, weights } = layer.forward(inputs, options);
  return [output, weights];
}

export function locationSensitive(engine: Whole, c: Case): Tensor[] {
  const query = needed(c, "query");
  const lengths = input(c, "memory_lengths");
  using layer = new LocationSensitiveAttention(engine, {
    query: matrix(c, "query_kernel"),
    key: matrix(c, "memory_kernel"),
    scoreWeight: needed(c, "v"),
    filters: needed(c, "location_filters"),
    locationWeight: needed(c, "location_kernel"),
  });
  const memory = layer.memory(needed(c, "memory"));
  const keyLengths = lengths && numbers(lengths);
  const outputs: Tensor[] = [];
  const weights: Tensor[] = [];
  let state: LocationState | undefined;
  for (let step = 0; step < query.dims[0]; step++) {
    const result = layer.step(pick(query, 0, step), memory, { state, keyLengths });
    state = result.state;
    outputs.push(result.output);
    weights.push(result.weights);
  }
  return [stacked(outputs), stacked(weights)];
}

function stacked(steps: readonly Tensor[]): Tensor {
  const data = steps.flatMap((step) => Array.from(step.data));
  return tensor(Float32Array.from(data), [steps.length, ...(steps[0]?.dims ?? [])]);
}

/** [steps, batch, keys] with the first two axes changed. */
function swapped({ data, dims }: Tensor): Tensor {
  const [a, b, c] = dims;
  const moved = Float32Array.from({ length: data.length }, (_, i) => {
    const [x, y, z] = [Math.floor(i / (a * c)), Math.floor(i / c) % a, i % c];
    return data[(y * b + x) * c + z];
  });
  return tensor(moved, [b, a, c]);
}

export function monotonic(engine: Whole, c: Case): Tensor[] {
  const { mode } = c.attributes;
  return [swapped(monotonicAttention(engine, swapped(needed(c, "p_choose")), { mode }))];
}

/** Keras's layer: query, value, key; no projections. */
export function kerasAdditive(engine: Whole, c: Case): Tensor[] {
  const value = needed(c, "value");
  const key = given(c, "key") ?? value;
  return kerasAttend(engine, c, [needed(c, "query"), key, value], given(c, "scale"));
}

export function kerasConcat(engine: Whole, c: Case): Tensor[] {
  const value = needed(c, "value");
  const key = given(c, "key") ?? value;
  const query = needed(c, "query");
  return kerasAttend(
    engine,
    c,
    [query, key, value],
    filled(query, c.attributes.concat_score_weight),
  );
}

const filled = ({ dims }: Tensor, value: number) =>
  tensor(new Float32Array(dims.at(-1) as number).fill(value), [dims.at(-1) as number]);

function kerasAttend(
  engine: Whole,
  c: Case,
  [query, key, value]: readonly [Tensor, Tensor, Tensor],
  scoreWeight: Tensor | undefined,
): Tensor[] {
  const [queryMask, valueMask] = [input(c, "query_mask"), input(c, "value_mask")];
  const [batch, rows] = query.dims;
  const keys = key.dims[1];
  const { output, weights } = additiveAttention(engine, query, key, value, {
    ...{ layout: "BLE", heads: 1, weights: "mean", scoreWeight },
    mask: valueMask && { data: Uint8Array.from(numbers(valueMask)), dims: [batch, 1, 1, keys] },
  });
  const kept = queryMask && numbers(queryMask);
  const seen = kept
    ? tensor(
        output.data.map((x, i) => x * kept[Math.floor((i * batch * rows) / output.data.length)]),
        output.dims,
      )
    : output;
  return [seen, weights];
}

/** Only the scores, [B, L, S]. */
export function additiveScores(engine: Whole, c: Case): Tensor[] {
  const [query, key] = [needed(c, "query"), needed(c, "key")];
  const { concat_score_weight: each } = c.attributes;
  const scoreWeight = each === undefined ? given(c, "scale") : filled(query, each);
  const { scores } = additiveAttention(engine, query, key, key, {
    ...{ layout: "BLE", heads: 1, scores: "raw", scoreWeight },
  });
  const [batch, rows] = query.dims;
  return [tensor((scores as Tensor).data, [batch, rows, key.dims[1]])];
}
