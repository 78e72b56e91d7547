// Transformer layers of weights as other libraries keep them: functions, so that who reads none of them does
// not load how.

import { type Attention, checkAttention } from "../attend/attention";
import { ArgumentError, describe } from "../errors";
import type { StateDict } from "../weights/named-weights";
import { TransformerDecoderLayer } from "./decoder-layer";
import { TransformerEncoderLayer } from "./encoder-layer";
import { FAMILIES } from "./layer-families";
import {
  kerasDecoder,
  kerasEncoder,
  Names,
  pytorchDecoder,
  pytorchEncoder,
  weightsOfNames,
} from "./layer-names";
import {
  type DecoderLayerWeights,
  type PrefixedConfig,
  readPrefixed,
  readTransformers,
  type TransformerConfig,
  type TransformersConfig,
} from "./layer-options";

/**
 * A layer from the state dict, an object or a Map, of PyTorch's `nn.TransformerEncoderLayer`:
 * `self_attn.in_proj_weight`, `linear1.weight`, `norm1.weight`, …; names outside `prefix` are left alone.
 *
 * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
 */
export function encoderFromPyTorch(
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerEncoderLayer {
  return encoderOf("encoderFromPyTorch", attention, weights, config);
}

/**
 * A layer from the weights of Keras's `TransformerEncoder` by their paths, in an object or a Map:
 * `self_attention_layer/query/kernel`, `feedforward_layer_norm/gamma`, …; names outside `prefix` are left
 * alone.
 *
 * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
 */
export function encoderFromKeras(
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerEncoderLayer {
  return encoderOf("encoderFromKeras", attention, weights, config);
}

/**
 * A layer from the state dict of PyTorch's `nn.TransformerDecoderLayer`: `self_attn.…`, `multihead_attn.…`,
 * `linear1.weight`, `norm3.bias`, …; as `encoderFromPyTorch`.
 *
 * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
 */
export function decoderFromPyTorch(
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerDecoderLayer {
  return decoderOf("decoderFromPyTorch", attention, weights, config);
}

/**
 * A layer from the weights of Keras's `TransformerDecoder` by their paths: `self_attention/query/kernel`,
 * `cross_attention/query/kernel`, `feedforward_layer_norm/gamma`, …; as `encoderFromKeras`.
 *
 * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
 */
export function decoderFromKeras(
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerDecoderLayer {
  return decoderOf("decoderFromKeras", attention, weights, config);
}

/**
 * A layer from the state dict of one of Hugging Face's transformers: `model` says by whose names, and gives
 * the form that goes with them. BERT's (also RoBERTa's, ELECTRA's), ViT's (also DeiT's, timm's), BART's
 * encoder (Marian's, Whisper's), T5's, GPT-2's, Llama's (Mistral's, and as GGUF names them). What a model's
 * configuration has otherwise (`eps`, `activation`, `normFirst`) is given beside it. T5's
 * `relative_attention_bias` is left to `relativePositionBias`.
 *
 * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
 */
export function encoderFromTransformers(
  attention: Attention<"blocks">,
  weights: StateDict,
  config: TransformersConfig,
): TransformerEncoderLayer {
  const name = "encoderFromTransformers";
  checkAttention(name, attention);
  const { form, found } = ofFamily(name, weights, config, "encoder");
  return new TransformerEncoderLayer(attention, form, found, name);
}

/**
 * A decoder's layer with cross-attention, BART's or T5's; as `encoderFromTransformers`.
 *
 * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
 */
export function decoderFromTransformers(
  attention: Attention<"blocks">,
  weights: StateDict,
  config: TransformersConfig,
): TransformerDecoderLayer {
  const name = "decoderFromTransformers";
  checkAttention(name, attention);
  const { form, found } = ofFamily(name, weights, config, "decoder");
  return new TransformerDecoderLayer(attention, form, found as DecoderLayerWeights, name);
}

function ofFamily(
  operation: string,
  weights: StateDict,
  config: TransformersConfig,
  kind: "encoder" | "decoder",
) {
  const { model, prefix = "", ...given } = readTransformers(operation, config, "config");
  const family = Object.hasOwn(FAMILIES, model) ? FAMILIES[model] : undefined;
  const among = family?.[kind];
  if (!family || !among) {
    const models = Object.entries(FAMILIES).filter(([, each]) => each[kind]);
    const quoted = models.map(([name]) => `"${name}"`);
    const expected = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
    throw new ArgumentError(operation, "model", expected, describe(model));
  }
  const names = new Names(operation, weights, prefix);
  const places = names.placesAmong(among);
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  const own = Object.fromEntries(said) as unknown as TransformerConfig;
  const form: TransformerConfig = { ...family.form, ...places.form, ...own };
  return { form, found: weightsOfNames(names, places, form) };
}

function encoderOf(
  name: string,
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerEncoderLayer {
  checkAttention(name, attention);
  const { prefix = "", ...read } = readPrefixed(name, config, "config");
  const places = name.endsWith("Keras") ? kerasEncoder : pytorchEncoder;
  const found = weightsOfNames(new Names(name, weights, prefix), places, read);
  return new TransformerEncoderLayer(attention, read, found, name);
}

function decoderOf(
  name: string,
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerDecoderLayer {
  checkAttention(name, attention);
  const { prefix = "", ...read } = readPrefixed(name, config, "config");
  const places = name.endsWith("Keras") ? kerasDecoder : pytorchDecoder;
  const found = weightsOfNames(new Names(name, weights, prefix), places, read);
  return new TransformerDecoderLayer(attention, read, found as DecoderLayerWeights, name);
}
