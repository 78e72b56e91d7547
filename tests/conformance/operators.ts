// Which file says an operator here, and why some are left out.

import type { Tensor } from "wasm-attention";
import type { Whole } from "../engines";
import type { Case } from "./case";
import { flexAttention } from "./flex-attention";
import * as keras from "./keras";
import * as linear from "./linear-attention";
import * as norms from "./norms";
import * as onnx from "./onnx-attention";
import * as ort from "./ort-attention";
import { groupQueryAttention } from "./ort-grouped";
import { packedAttention, packedMultiHeadAttention } from "./ort-packed";
import { pagedAttention, tensorScatter } from "./ort-paged";
import { matMulNBits } from "./quantized";
import { frequencies, kerasRotaryEmbedding, rotaryEmbedding } from "./rotary";
import * as variants from "./variants";

/** The outputs in the operator's order; those it does not give are missing. */
export type Operator = (engine: Whole, c: Case) => (Tensor | undefined)[];

const concat = ({ attributes }: Case) => attributes.score_mode === "concat";

export const operators: Readonly<Record<string, Operator>> = {
  "ai.onnx Attention": onnx.attention,
  "ai.onnx RotaryEmbedding": rotaryEmbedding,
  "ai.onnx.preview FlexAttention": flexAttention,
  "com.microsoft Attention": ort.attention,
  "com.microsoft MultiHeadAttention": ort.multiHeadAttention,
  "com.microsoft GroupQueryAttention": groupQueryAttention,
  "com.microsoft PackedAttention": packedAttention,
  "com.microsoft PackedMultiHeadAttention": packedMultiHeadAttention,
  "com.microsoft PagedAttention": pagedAttention,
  "ai.onnx TensorScatter": tensorScatter,
  "com.microsoft MatMulNBits": matMulNBits,
  "com.microsoft RotaryEmbedding": rotaryEmbedding,
  "com.microsoft MRotaryEmbedding": rotaryEmbedding,
  "keras Attention": (engine, c) => (concat(c) ? variants.kerasConcat : keras.attention)(engine, c),
  "keras AttentionScores": (engine, c) =>
    (concat(c) ? variants.additiveScores : keras.attentionScores)(engine, c),
  "keras ApplyScores": keras.applyScores,
  "keras MultiHeadAttention": keras.multiHeadAttention,
  "keras MaskPattern": keras.maskPattern,
  "keras AlibiBias": keras.alibiBias,
  "keras SinePositionEncoding": keras.sinePositionEncoding,
  "keras RotaryEmbedding": kerasRotaryEmbedding,
  "transformers RopeFrequencies": frequencies,
  "ai.onnx LinearAttention": linear.linearAttentionOf,
  "com.microsoft LinearAttention": linear.linearAttentionOf,
  "ai.onnx CausalConvWithState": linear.causalConvWithState,
  "attention-variants FeatureMapAttention": linear.featureMapAttention,
  "attention-variants Softmax": norms.softmaxOf,
  "attention-variants Sparsemax": variants.entmaxOf,
  "attention-variants Entmax": variants.entmaxOf,
  "attention-variants Normmax": variants.normmaxOf,
  "attention-variants Budget": variants.budgetOf,
  "attention-variants EntmaxAlphaGradient": variants.alphaGradient,
  "attention-variants SparsemaxJacobian": variants.sparsemaxJacobian,
  "attention-variants EntmaxAttention": variants.entmaxAttention,
  "attention-variants BahdanauAttention": variants.bahdanau,
  "attention-variants LocationSensitiveAttention": variants.locationSensitive,
  "attention-variants MonotonicAttention": variants.monotonic,
  "keras AdditiveAttention": variants.kerasAdditive,
  "keras AdditiveScores": variants.additiveScores,
  "ai.onnx LayerNormalization": norms.layerNormalization,
  "ai.onnx LogSoftmax": norms.logSoftmaxOf,
  "ai.onnx LpNormalization": norms.lpNormalization,
  "ai.onnx RMSNormalization": norms.rmsNormalization,
  "ai.onnx SimplifiedLayerNormalization": norms.rmsNormalization,
  "ai.onnx Softmax": norms.softmaxOf,
  "com.microsoft SkipLayerNormalization": norms.skipLayerNormalization,
  "com.microsoft SkipSimplifiedLayerNormalization": norms.skipLayerNormalization,
  "keras LayerNormalization": norms.layerNormalization,
  "keras RMSNormalization": norms.rmsNormalization,
  "keras Softmax": norms.kerasSoftmax,
};

/** Why a case is skipped, if it is. */
export function leftOut(c: Case): string | undefined {
  const { attributes } = c;
  if (attributes.state_window !== undefined)
    return "the states after each of the last tokens (state_window) are to come";
  if (c.expect === "failure" && /\(CUDA\)/.test(c.message ?? "")) {
    return "a refusal about another library's hardware";
  }
  return undefined;
}
