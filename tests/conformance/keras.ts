// Keras 3 and tf-keras: the Attention layer and what it is made of, MultiHeadAttention, masks; and
// keras-hub's ALiBi and sinusoidal positions.

import { type Tensor, tensor } from "wasm-attention";
import { alibiSlopes, sinusoidalPositions } from "wasm-attention/positions";
import { fromKeras } from "wasm-attention/weights";
import type { Whole } from "../engines";
import { type Case, floats, gather, input, numbers } from "./case";

/** What Keras subtracts from the score of a masked key. */
const FILTER = -1e9;

export function attention(engine: Whole, c: Case): Tensor[] {
  const [query, key, value] = ["query", "key", "value"].map((name) =>
    floats(input(c, name) as never),
  );
  const [batch, rows, columns] = [query.dims[0], query.dims[1], key.dims[1]];
  const [seen, asked] = ["value_mask", "query_mask"].map((name) => {
    const mask = input(c, name);
    return mask && numbers(mask);
  });
  const mask = (hidden: (b: number, i: number) => boolean) =>
    gather([batch, 1, rows, columns], (b, _, i, j) =>
      hidden(b, i) ? Number.NEGATIVE_INFINITY : seen && !seen[b * columns + j] ? FILTER : 0,
    );
  // Keras's layer has no heads and, unless it is given one, no scale.
  const options = {
    layout: "BLE",
    heads: 1,
    scale: c.attributes.scale ?? 1,
    causal: c.attributes.use_causal_mask ?? false,
  } as const;
  const attend = (hidden: (b: number, i: number) => boolean) =>
    engine.attend(query, key, value, { ...options, mask: mask(hidden), weights: true });
  // A masked query loses its output, not its scores.
  const { output } = attend((b, i) => asked !== undefined && !asked[b * rows + i]);
  return [output, tensor((attend(() => false).weights as Tensor).data, [batch, rows, columns])];
}

export function attentionScores(engine: Whole, c: Case): Tensor[] {
  const [query, key] = ["query", "key"].map((name) => floats(input(c, name) as never));
  const { scores } = engine.attend(query, key, key, {
    layout: "BLE",
    heads: 1,
    scale: c.attributes.scale ?? 1,
    scores: "raw",
  });
  return [tensor((scores as Tensor).data, [query.dims[0], query.dims[1], key.dims[1]])];
}

/** Scores that are there already: added, as a mask, to those of queries of zeros. */
export function applyScores(engine: Whole, c: Case): Tensor[] {
  const scores = floats(input(c, "scores") as never);
  const value = floats(input(c, "value") as never);
  const [batch, rows, columns] = scores.dims;
  const seen = input(c, "scores_mask");
  const visible = seen && numbers(seen);
  // Broadcast over the queries, or one row for each.
  const row = (i: number) => (seen?.shape[1] === 1 ? 0 : i);
  const mask = gather([batch, 1, rows, columns], (b, _, i, j) => {
    const at = (b * (seen?.shape[1] ?? rows) + row(i)) * columns + j;
    return scores.data[(b * rows + i) * columns + j] + (visible && !visible[at] ? FILTER : 0);
  });
  const zeros = (count: number) => tensor(new Float32Array(batch * count), [batch, count, 1]);
  const { output, weights } = engine.attend(zeros(rows), zeros(columns), value, {
    layout: "BLE",
    heads: 1,
    mask,
    weights: true,
  });
  return [output, tensor((weights as Tensor).data, scores.dims)];
}

export function multiHeadAttention(engine: Whole, c: Case): (Tensor | undefined)[] {
  const get = (name: string) => floats(input(c, name) as never);
  const parts = ["query", "key", "value", "output"].flatMap((name) => [
    `${name}_kernel`,
    `${name}_bias`,
  ]);
  const weights = parts.filter((name) => input(c, name)).map(get);
  const layer = fromKeras(engine, weights);
  const [query, key, value] = [get("query"), get("key"), get("value")];
  const result = layer.forward(
    { query, key, value },
    {
      causal: c.attributes.use_causal_mask ?? false,
      mask: layerMask(c, [query.dims[0], query.dims[1], value.dims[1]]),
      weights: true,
    },
  );
  layer.dispose();
  return [result.output, result.weights];
}

/** Every mask the layer takes as one: a key is seen where all of them show it. */
function layerMask(c: Case, [batch, rows, columns]: [number, number, number]) {
  const names = ["attention_mask", "query_mask", "value_mask", "key_mask"];
  const [whole, asked, seen, known] = names.map((name) => {
    const mask = input(c, name);
    return mask && numbers(mask);
  });
  if (!whole && !asked && !seen && !known) return undefined;
  const data = gather([batch, 1, rows, columns], (b, _, i, j) =>
    Number(
      (!whole || whole[(b * rows + i) * columns + j]) &&
        (!asked || asked[b * rows + i]) &&
        (!seen || seen[b * columns + j]) &&
        (!known || known[b * columns + j])
        ? 1
        : 0,
    ),
  );
  return { data: Uint8Array.from(data.data), dims: data.dims };
}

/** Which keys a causal or sliding mask shows: those whose score is left, 0 for queries of zeros. */
export function maskPattern(engine: Whole, c: Case): Tensor[] {
  const { query_length: rows, key_length: columns, sliding_window: width, causal } = c.attributes;
  const side = width === undefined || width === null ? undefined : width - 1;
  const [query, key] = [rows, columns].map((count) => tensor(new Float32Array(count), [count, 1]));
  const { scores } = engine.attend(query, key, key, {
    causal,
    window: { left: side, right: side },
    scores: "biased",
  });
  const visible = (scores as Tensor).data.map((score) => (score === 0 ? 1 : 0));
  return [tensor(visible, [rows, columns])];
}

export function alibiBias(engine: Whole, c: Case): Tensor[] {
  const { num_heads: heads, query_length: rows, key_length: columns } = c.attributes;
  const zeros = (count: number) => tensor(new Float32Array(heads * count), [1, heads, count, 1]);
  const key = zeros(columns);
  const { scores } = engine.attend(zeros(1), key, key, {
    // keras-hub counts from the last key, for every query; the weights are those of "key".
    alibi: {
      slopes: alibiSlopes(heads, { maxBias: c.attributes.alibi_bias_max }),
      distance: "signed",
    },
    queryOffset: columns - 1,
    scores: "biased",
  });
  const { data } = scores as Tensor;
  return [gather([1, heads, rows, columns], (_, h, _i, j) => data[h * columns + j])];
}

export function sinePositionEncoding(engine: Whole, c: Case): Tensor[] {
  const { feature_size: size, max_wavelength: base } = c.attributes;
  const ids = input(c, "positions") as never;
  const { data } = sinusoidalPositions(engine, { positions: numbers(ids), size, base });
  return [tensor(data, [...(ids as { shape: number[] }).shape, size])];
}
