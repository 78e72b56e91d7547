// ai.onnx Whole, opsets 23 to 25.

import type { AttendOptions, Tensor } from "wasm-attention";
import type { Whole } from "../engines";
import {
  type Case,
  floats,
  input,
  joinHeads,
  joinRows,
  maskOf,
  numbers,
  splitHeads,
  wants,
} from "./case";

const SCORES = ["raw", "capped", "biased", "probabilities"] as const;

export function attention(engine: Whole, c: Case): (Tensor | undefined)[] {
  const { is_causal, left_window_size = -1, right_window_size = -1 } = c.attributes;
  const { q_num_heads: heads, kv_num_heads: keyValueHeads, scale, softcap } = c.attributes;
  const [q, k, v] = ["Q", "K", "V"].map((name) => floats(input(c, name) as never));
  // Rank 3 has its heads side by side; a cache has them apart.
  const joined = q.dims.length === 3;
  const perHead = (x: Tensor, count: number) => (joined ? splitHeads(x, count) : x);
  const pastKey = floats(input(c, "past_key"));
  const past = pastKey?.dims[2] ?? 0;
  const nonpad = input(c, "nonpad_kv_seqlen");
  const keyLengths = nonpad && numbers(nonpad);

  const causal = is_causal === 1 && (keyLengths ? "lower-right" : true);
  const rows = joined ? q.dims[1] : q.dims[2];
  const mask = input(c, "attn_mask");
  const side = (size: number) => (size < 0 ? undefined : size);
  const options: AttendOptions = {
    scale,
    softcap,
    causal,
    keyLengths,
    queryOffset: keyLengths ? (causal ? undefined : keyLengths.map((n) => n - rows)) : past,
    window: { left: side(left_window_size), right: side(right_window_size) },
    mask: mask && { ...maskOf(mask), shorter: true },
    scores: wants(c, 3) ? SCORES[c.attributes.qk_matmul_output_mode ?? 0] : undefined,
  };
  if (joined && !pastKey && !wants(c, 1)) {
    const { output, scores } = engine.attend(q, k, v, {
      ...options,
      layout: "BLE",
      heads,
      keyValueHeads,
    });
    return [output, undefined, undefined, scores];
  }
  const key = joinRows(pastKey, perHead(k, keyValueHeads));
  const value = joinRows(floats(input(c, "past_value")), perHead(v, keyValueHeads));
  const { output, scores } = engine.attend(perHead(q, heads), key, value, options);
  return [joined ? joinHeads(output) : output, key, value, scores];
}
