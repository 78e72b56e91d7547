// Layers of weights as other libraries keep them: functions, so that who reads none of them does not
// load how.

import { type Attention, checkAttention } from "../attend/attention";
import { reader } from "../check/names";
import { appendedKeys } from "../layer/appended";
import { MultiHeadAttention } from "../layer/multihead";
import { configFields, type LayerConfig } from "../layer/options";
import { type KerasWeights, type PyTorchWeights, projectionsOfKeras } from "../layer/projections";
import { checkHeadCounts } from "../layer/sizes";
import type { StateDict } from "./named-weights";
import { type PackedOrder, projectionsOfPacked } from "./packed";
import { projectionsOfStateDict } from "./state-dict";

/** Where a layer's weights lie in a state dict. */
export interface Prefixed {
  /** What the names of this layer's weights begin with, its dot included: `"encoder.self_attn."`. */
  prefix?: string | undefined;
}

const readStateDictConfig = reader<LayerConfig & Prefixed>({ ...configFields, prefix: 1 });
const readPackedConfig = reader<LayerConfig & Prefixed & PackedOrder>({
  ...configFields,
  prefix: 1,
  order: 1,
  interleaved: 1,
});

/**
 * A layer from a state dict of PyTorch, in an object or a Map: `nn.MultiheadAttention`'s (`in_proj_weight`
 * packed, or the three separate matrices), transformers' (`q_proj`, `k_proj`, `v_proj` and `o_proj` or
 * `out_proj`; `query`, `key`, `value` and `dense`; DistilBERT's and T5's), lucidrains' (`to_qkv` or `to_q`, `to_k`, `to_v`,
 * and `to_out`), timm's (`qkv`, `proj`). Names outside `prefix` are left alone.
 *
 * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
 */
export function fromPyTorch(
  attention: Attention,
  weights: PyTorchWeights | StateDict,
  config: LayerConfig & Prefixed,
): MultiHeadAttention {
  const name = "fromPyTorch";
  checkAttention(name, attention);
  const { prefix = "", ...read } = readStateDictConfig(name, config, "config");
  const { heads, keyValueHeads } = checkHeadCounts(name, read);
  const { biasKeyValue, ...projections } = projectionsOfStateDict(
    name,
    weights,
    prefix,
    heads,
    keyValueHeads,
  );
  const { appended: given } = read;
  const appended = biasKeyValue ? appendedKeys({ ...given?.config, biasKeyValue }) : given;
  return new MultiHeadAttention(attention, { ...read, appended }, projections, name);
}

/**
 * A layer from a state dict whose query, key and value are one matrix, in an object or a Map: GPT-2's
 * (`c_attn`, `c_proj`), GPT-NeoX's, BLOOM's and Falcon's (`query_key_value`, `dense`), `in_proj`, `qkv`,
 * `qkv_proj`, `to_qkv`, `Wqkv` or `wqkv` and the output's matrix beside it. `order` says what the rows of both
 * are, `interleaved` how heads lie in the fused one. Names outside `prefix` are left alone.
 *
 * @throws ArgumentError for a weight that is missing, that the layer has no place for, or of other sizes.
 */
export function fromPacked(
  attention: Attention,
  weights: StateDict,
  config: LayerConfig & Prefixed & PackedOrder,
): MultiHeadAttention {
  const name = "fromPacked";
  checkAttention(name, attention);
  const { prefix = "", order, interleaved, ...read } = readPackedConfig(name, config, "config");
  const counts = checkHeadCounts(name, read);
  const projections = projectionsOfPacked(name, weights, prefix, counts, { order, interleaved });
  return new MultiHeadAttention(attention, read, projections, name);
}

/** A layer from Keras's `MultiHeadAttention` or `GroupedQueryAttention`; the heads are read from the kernels. */
export function fromKeras(attention: Attention, weights: KerasWeights): MultiHeadAttention {
  const name = "fromKeras";
  checkAttention(name, attention);
  const { heads, keyValueHeads, ...projections } = projectionsOfKeras(name, weights);
  return new MultiHeadAttention(attention, { heads, keyValueHeads }, projections, name);
}
