// onnxruntime's contrib Attention (with its projections) and MultiHeadAttention (without).

import type { Tensor } from "wasm-attention";
import { linear, prepareLinear } from "wasm-attention";
import type { Whole } from "../engines";
import {
  type Case,
  columns,
  floats,
  input,
  joinHeads,
  joinRows,
  numbers,
  pick,
  plus,
  splitHeads,
  wants,
} from "./case";
import { both, paddingOf } from "./ort-masks";

/** query [B, H, L, D], key and value [B, H, S, D] without the past. */
interface Projected {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

export function attention(engine: Whole, c: Case): (Tensor | undefined)[] {
  const heads = c.attributes.num_heads;
  const { q, k, v } = project(engine, c, floats(input(c, "input") as never));
  const projected = {
    query: splitHeads(q, heads),
    key: splitHeads(k, heads),
    value: splitHeads(v, heads),
  };
  const past = floats(input(c, "past"));
  // A buffer that past and present share is longer than the past in it.
  const shared = input(c, "past_sequence_length");
  const filled = shared ? numbers(shared)[0] : past?.dims[3];
  const half = (index: number) => {
    const part = past && pick(past, 0, index);
    return part && firstRows(part, filled as number);
  };
  const padding = input(c, "mask_index");
  const { output, key, value } = mix(engine, c, projected, [half(0), half(1)], padding);
  return [output, wants(c, 1) ? stack(key, value) : undefined];
}

export function multiHeadAttention(engine: Whole, c: Case): (Tensor | undefined)[] {
  const past = [floats(input(c, "past_key")), floats(input(c, "past_value"))] as const;
  const padding = input(c, "key_padding_mask");
  const { output, key, value, scores } = mix(engine, c, unpack(c), past, padding);
  return [output, key, value, scores];
}

/** input · weight + bias, cut into query, key and value. */
export function project(engine: Whole, c: Case, x: Tensor) {
  const weight = floats(input(c, "weight") as never);
  const bias = floats(input(c, "bias"));
  const third = weight.dims[1] / 3;
  const [e, f] = c.attributes.qkv_hidden_sizes ?? [third, third];
  const prepared = prepareLinear(engine, weight, { order: "in,out", bias });
  const all = linear(engine, x, prepared);
  prepared.dispose();
  return {
    q: columns(all, 0, e),
    k: columns(all, e, e + f),
    v: columns(all, e + f, weight.dims[1]),
  };
}

/** The layouts MultiHeadAttention takes: apart, or packed [B, L, H, 3, D] or [B, S, H, 2, D]. */
function unpack(c: Case): Projected {
  const heads = c.attributes.num_heads;
  const [query, key, value] = ["query", "key", "value"].map((name) => floats(input(c, name)));
  const q = query as Tensor;
  const k = key as Tensor;
  const packed = (x: Tensor, index: number) => joinPacked(pick(x, 3, index));
  const parts =
    q.dims.length === 5
      ? [packed(q, 0), packed(q, 1), packed(q, 2)]
      : k.dims.length === 5
        ? [q, packed(k, 0), packed(k, 1)]
        : [q, k, value as Tensor];
  const bias = floats(input(c, "bias"))?.data;
  let from = 0;
  const [a, b, d] = parts.map((x) => {
    // Rank 4 is [B, H, S, D]: heads apart, and the bias in it already.
    if (x.dims.length === 4) return x;
    const own = bias?.subarray(from, from + x.dims[2]);
    from += x.dims[2];
    return splitHeads(own ? plus(x, own) : x, heads);
  });
  return { query: a, key: b, value: d };
}

/** [B, L, H, D] → [B, L, H·D]. */
function joinPacked({ data, dims: [batch, rows, heads, size] }: Tensor): Tensor {
  return { data, dims: [batch, rows, heads * size] };
}

function mix(
  engine: Whole,
  c: Case,
  { query, key, value }: Projected,
  [pastKey, pastValue]: readonly (Tensor | undefined)[],
  padding: ReturnType<typeof input>,
) {
  const { unidirectional = 0, mask_filter_value: filter = -10000, scale } = c.attributes;
  const [k, v] = [joinRows(pastKey, key), joinRows(pastValue, value)];
  const [batch, , queries] = query.dims;
  const { mask, keyLengths } = paddingOf(padding, [batch, queries, k.dims[2]], filter);
  const { output, scores } = engine.attend(query, k, v, {
    scale: scale || undefined,
    causal: unidirectional === 1,
    queryOffset: pastKey?.dims[2],
    keyLengths,
    mask: both(mask, floats(input(c, "attention_bias"))),
    scores: wants(c, 3) ? "biased" : undefined,
  });
  return { output: joinHeads(output), key: k, value: v, scores };
}

function firstRows({ data, dims: [batch, heads, rows, size] }: Tensor, count: number): Tensor {
  const chosen = data.filter((_, index) => Math.floor(index / size) % rows < count);
  return { data: chosen, dims: [batch, heads, count, size] };
}

/** Two of the same dims as [2, ...]. */
function stack(a: Tensor, b: Tensor): Tensor {
  const data = new Float32Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { data, dims: [2, ...a.dims] };
}
