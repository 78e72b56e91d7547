// LinearAttention and CausalConvWithState as ONNX and onnxruntime have them, and fast-transformers' feature map.

import { fromFloat16, type Tensor, tensor, toFloat16 } from "wasm-attention";
import { causalConv, linearAttention } from "wasm-attention/variants";
import type { Whole } from "../engines";
import { type Case, floats, input, numbers } from "./case";

const given = (c: Case, name: string) => floats(input(c, name));

/** Outputs of half precision are rounded to it. */
function rounded(c: Case, outputs: Tensor[]): Tensor[] {
  return outputs.map(({ data, dims }, index) =>
    c.outputs[index]?.dtype === "float16"
      ? tensor(fromFloat16(toFloat16(data)), dims)
      : { data, dims },
  );
}

export function linearAttentionOf(engine: Whole, c: Case): Tensor[] {
  const { q_num_heads, kv_num_heads, scale, update_rule = "gated_delta" } = c.attributes;
  const [query, key, value] = ["query", "key", "value"].map((name) => given(c, name) as Tensor);
  const { output, state } = linearAttention(engine, query, key, value, {
    layout: "BLE",
    heads: q_num_heads,
    keyValueHeads: kv_num_heads,
    updateRule: update_rule,
    scale: scale || undefined,
    decay: given(c, "decay"),
    beta: given(c, "beta"),
    state: given(c, "past_state"),
  });
  return rounded(c, [output, state]);
}

export function causalConvWithState(engine: Whole, c: Case): Tensor[] {
  const { activation = "none" } = c.attributes;
  const { output, state } = causalConv(
    engine,
    given(c, "input") as Tensor,
    given(c, "weight") as Tensor,
    {
      bias: given(c, "bias"),
      state: given(c, "past_state"),
      activation: activation === "none" ? undefined : "silu",
    },
  );
  return rounded(c, [output, state]);
}

export function featureMapAttention(engine: Whole, c: Case): Tensor[] {
  const [query, key, value] = ["query", "key", "value"].map((name) => given(c, name) as Tensor);
  const lengths = input(c, "key_lengths");
  const { causal, eps } = c.attributes;
  const options = { featureMap: "elu", causal: Boolean(causal), eps } as const;
  const keyLengths = lengths && numbers(lengths);
  return [linearAttention(engine, query, key, value, { ...options, keyLengths }).output];
}
