// Which file says an operator here, and why some are left out.

import type { Tensor } from "wasm-attention";
import type { Whole } from "../engines";
import type { Case } from "./case";
import { flexAttention } from "./flex-attention";
import * as keras from "./keras";
import * as norms from "./norms";
import * as onnx from "./onnx-attention";
import * as ort from "./ort-attention";
import { groupQueryAttention } from "./ort-grouped";
import { packedAttention, packedMultiHeadAttention } from "./ort-packed";
import { pagedAttention, tensorScatter } from "./ort-paged";
import { matMulNBits } from "./quantized";
import { frequencies, kerasRotaryEmbedding, rotaryEmbedding } from "./rotary";

/** The outputs in the operator's order; those it does not give are missing. */
export type Operator = (engine: Whole, c: Case) => (Tensor | undefined)[];

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
  "keras Attention": keras.attention,
  "keras AttentionScores": keras.attentionScores,
  "keras ApplyScores": keras.applyScores,
  "keras MultiHeadAttention": keras.multiHeadAttention,
  "keras MaskPattern": keras.maskPattern,
  "keras AlibiBias": keras.alibiBias,
  "keras SinePositionEncoding": keras.sinePositionEncoding,
  "keras RotaryEmbedding": kerasRotaryEmbedding,
  "transformers RopeFrequencies": frequencies,
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

const LEFT_OUT: Readonly<Record<string, string>> = {
  AdditiveAttention: "additive scores are to come",
  AdditiveScores: "additive scores are to come",
  LinearAttention: "linear attention is to come",
  CausalConvWithState: "a convolution, no attention",
};

/** Why a case is skipped, if it is. */
export function leftOut(c: Case): string | undefined {
  const { attributes, op } = c;
  if (op in LEFT_OUT) return LEFT_OUT[op];
  if (attributes.score_mode === "concat") return "concat scores are to come";
  if (attributes.prob_mod) return "FlexAttention's prob_mod would need the whole score matrix";
  if (c.expect === "failure" && /\(CUDA\)/.test(c.message ?? "")) {
    return "a refusal about another library's hardware";
  }
  return undefined;
}
