// onnxruntime's GroupQueryAttention: a cache of each batch's own length, and rotary embeddings.

import { type Tensor, tensor } from "wasm-attention";
import { rotate } from "wasm-attention/positions";
import type { Whole } from "../engines";
import { type Case, columns, floats, gather, input, joinHeads, numbers, splitHeads } from "./case";

export function groupQueryAttention(engine: Whole, c: Case): (Tensor | undefined)[] {
  const { num_heads: heads, kv_num_heads: keyValueHeads, scale, softcap } = c.attributes;
  const { causal = 1, local_window_size: window = -1, smooth_softmax } = c.attributes;
  const { query, key, value } = splitInputs(c);
  const rows = query.dims[2];
  const total = numbers(input(c, "total_sequence_length") as never)[0];
  // seqlens_k is the length less one.
  const keyLengths = numbers(input(c, "seqlens_k") as never).map((last) => last + 1);
  const prompt = rows === total;
  const pasts = keyLengths.map((length) => (prompt ? 0 : length - rows));

  const turn = (x: Tensor) => (c.attributes.do_rotary ? rotated(engine, c, x, pasts) : x);
  const present = (name: string, x: Tensor) => appended(floats(input(c, name)), x, pasts, total);
  const k = present("past_key", turn(key));
  const v = present("past_value", value);
  const sinks = floats(input(c, "head_sink"))?.data;
  const bias = floats(input(c, "attention_bias"));
  const { output } = engine.attend(turn(query), k, v, {
    scale: scale || undefined,
    softcap,
    // What has no name here goes on as it is, to be refused.
    causal: { 0: false, 1: true }[causal as number] ?? causal,
    queryOffset: pasts,
    keyLengths,
    // A local window counts the key at the query's own position.
    window: { left: window < 0 ? undefined : window - 1 },
    sinks: sinks ?? (smooth_softmax ? new Float32Array(heads) : undefined),
    mask: bias && { ...bias, shorter: true },
  });
  return [joinHeads(output), k, v];

  function splitInputs({ attributes }: Case) {
    const q = floats(input(c, "query") as never);
    const given = floats(input(c, "key"));
    if (given) {
      return {
        query: splitHeads(q, heads),
        key: splitHeads(given, keyValueHeads),
        value: splitHeads(floats(input(c, "value") as never), keyValueHeads),
      };
    }
    // Packed: H query heads, then Hkv of keys and of values, in one row.
    const size = q.dims[2] / (attributes.num_heads + 2 * attributes.kv_num_heads);
    const [e, f] = [heads * size, keyValueHeads * size];
    return {
      query: splitHeads(columns(q, 0, e), heads),
      key: splitHeads(columns(q, e, e + f), keyValueHeads),
      value: splitHeads(columns(q, e + f, e + 2 * f), keyValueHeads),
    };
  }
}

/** Rows at the positions after each batch's past. */
function rotated(engine: Whole, c: Case, x: Tensor, pasts: number[]): Tensor {
  const ids = input(c, "position_ids");
  const after = (past: number) => Array.from({ length: x.dims[2] }, (_, i) => past + i);
  const positions = ids ? numbers(ids) : pasts.flatMap(after);
  return rotate(engine, x, {
    cos: floats(input(c, "cos_cache")),
    sin: floats(input(c, "sin_cache")),
    pairing: c.attributes.rotary_interleaved ? "interleaved" : "half",
    positions,
  });
}

/** Each batch's past rows and then its new ones, in a buffer as long as the longest. */
function appended(past: Tensor | undefined, added: Tensor, pasts: number[], total: number): Tensor {
  const [batch, heads, rows, size] = added.dims;
  const cached = past?.dims[2] ?? 0;
  // Refused where the past is not there, or ends before it begins.
  for (const [b, count] of pasts.entries()) {
    const first = b * heads * cached * size;
    tensor(
      (past?.data ?? new Float32Array(0)).slice(first, first + Math.min(count, cached) * size),
      [count, size],
    );
  }
  const longest = Math.min(total, Math.max(...pasts.map((past) => past + rows)));
  return gather([batch, heads, Math.max(cached, longest), size], (b, h, i, d) => {
    const from = i - pasts[b];
    if (past && from < 0) return past.data[((b * heads + h) * cached + i) * size + d];
    return from < rows ? added.data[((b * heads + h) * rows + from) * size + d] : 0;
  });
}
