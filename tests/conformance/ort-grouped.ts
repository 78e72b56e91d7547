// onnxruntime's GroupQueryAttention: a cache of each batch's own length, and rotary embeddings.

import { ArgumentError, type Tensor, tensor } from "wasm-attention";
import { rmsNorm } from "wasm-attention/blocks";
import { rotate } from "wasm-attention/positions";
import type { Whole } from "../engines";
import { type Case, columns, floats, gather, input, joinHeads, numbers, splitHeads } from "./case";

/** Each head's row by its root mean square, where the case has weights for it: for both, or it is refused. */
function normalised(engine: Whole, c: Case, name: "q" | "k", x: Tensor): Tensor {
  const weights = { q: floats(input(c, "q_norm_weight")), k: floats(input(c, "k_norm_weight")) };
  if (!weights.q && !weights.k) return x;
  const weight = weights[name] ?? (null as never);
  return rmsNorm(engine, x, { weight, eps: c.attributes.qk_norm_epsilon }).output;
}

export function groupQueryAttention(engine: Whole, c: Case): (Tensor | undefined)[] {
  const { num_heads: heads, kv_num_heads: keyValueHeads, scale, softcap } = c.attributes;
  const { causal = 1, local_window_size: window = -1, smooth_softmax } = c.attributes;
  const { value, ...given } = splitInputs(c);
  const [query, key] = [
    normalised(engine, c, "q", given.query),
    normalised(engine, c, "k", given.key),
  ];
  const rows = query.dims[2];
  const total = numbers(input(c, "total_sequence_length") as never)[0];
  // seqlens_k is the length less one.
  const keyLengths = numbers(input(c, "seqlens_k") as never).map((last) => last + 1);
  const prompt = rows === total;
  const pasts = keyLengths.map((length) => (prompt ? 0 : length - rows));

  const turn = (x: Tensor) => (c.attributes.do_rotary ? rotated(engine, c, x, pasts) : x);
  const [keyStep, valueStep] = [stepOf(c, "k"), stepOf(c, "v")];
  const present = (name: string, x: Tensor, step: Step | undefined) => {
    const past = floats(input(c, name));
    if (!step) return appended(past, x, pasts, total);
    return appended(past && scaled(past, step), scaled(rounded(x, step), step), pasts, total);
  };
  const k = present("past_key", turn(key), keyStep);
  const v = present("past_value", value, valueStep);
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
  return [
    joinHeads(output),
    keyStep ? rounded(k, keyStep) : k,
    valueStep ? rounded(v, valueStep) : v,
  ];

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

/**
 * What one step of an integer cache stands for, of head h and number d.
 *
 * Its definition cannot be kept by a cache of numbers "int8" or "int4": there the caller gives the steps, one
 * for the whole cache or for each number of a head, none for a token, and present_key and present_value have
 * to be past ones with new integers behind them. Ours finds a step for each token, and rounds keys after a
 * Hadamard transform, so that its integers are others. So the integers are made here, and attend is given
 * what they stand for.
 */
type Step = (h: number, d: number) => number;

/** k_scale or v_scale, of the whole cache or of each number of a head. */
function stepOf(c: Case, which: "k" | "v"): Step | undefined {
  const kind = c.attributes[`${which}_quant_type`] ?? "NONE";
  if (kind === "NONE") return undefined;
  const scale = floats(input(c, `${which}_scale`));
  if (!scale) throw new ArgumentError("GroupQueryAttention", `${which}_scale`, "a scale", "none");
  const { data } = scale;
  const size = scale.dims.at(-1) as number;
  return (h, d) => (data.length === 1 ? data[0] : data[h * size + d]) as number;
}

/** Each number of a [B, H, L, D] by its step. */
function each({ data, dims }: Tensor, step: Step, make: (x: number, step: number) => number) {
  const [, H, L, D] = dims as [number, number, number, number];
  return tensor(
    data.map((x, i) => make(x, step(Math.floor(i / (L * D)) % H, i % D))),
    dims,
  );
}

const scaled = (x: Tensor, step: Step) => each(x, step, (n, by) => n * by);

/** To the nearest integers of 8 bits. */
const rounded = (x: Tensor, step: Step) =>
  each(x, step, (n, by) => Math.max(-128, Math.min(127, Math.round(n / by))));

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
