// Transformer layers of weights as other libraries keep them: functions, so that who reads none of them does
// not load how.

import { type Attention, checkAttention } from "../attend/attention";
import { ArgumentError, describe } from "../errors";
import type { StateDict } from "../weights/named-weights";
import { TransformerDecoderLayer } from "./decoder-layer";
import { TransformerEncoderLayer } from "./encoder-layer";
import type { TransformerLayer } from "./layer";
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
  return ofLibrary("encoderFromPyTorch", attention, weights, config) as TransformerEncoderLayer;
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
  return ofLibrary("encoderFromKeras", attention, weights, config) as TransformerEncoderLayer;
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
  return ofLibrary("decoderFromPyTorch", attention, weights, config) as TransformerDecoderLayer;
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
  return ofLibrary("decoderFromKeras", attention, weights, config) as TransformerDecoderLayer;
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
  return ofFamily("encoderFromTransformers", attention, weights, config) as TransformerEncoderLayer;
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
  return ofFamily("decoderFromTransformers", attention, weights, config) as TransformerDecoderLayer;
}

function ofFamily(
  operation: string,
  attention: Attention<"blocks">,
  weights: StateDict,
  config: TransformersConfig,
): TransformerLayer {
  checkAttention(operation, attention);
  const kind = isEncoder(operation) ? "encoder" : "decoder";
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
  return made(operation, attention, form, weightsOfNames(names, places, form));
}

function ofLibrary(
  operation: string,
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerLayer {
  checkAttention(operation, attention);
  const { prefix = "", ...form } = readPrefixed(operation, config, "config");
  const [encoder, decoder] = operation.endsWith("Keras")
    ? [kerasEncoder, kerasDecoder]
    : [pytorchEncoder, pytorchDecoder];
  const places = isEncoder(operation) ? encoder : decoder;
  const found = weightsOfNames(new Names(operation, weights, prefix), places, form);
  return made(operation, attention, form, found);
}

/** By what the caller called. */
const isEncoder = (operation: string) => operation.startsWith("encoder");

function made(
  operation: string,
  attention: Attention<"blocks">,
  form: TransformerConfig,
  weights: ReturnType<typeof weightsOfNames>,
): TransformerLayer {
  if (isEncoder(operation)) return new TransformerEncoderLayer(attention, form, weights, operation);
  return new TransformerDecoderLayer(attention, form, weights as DecoderLayerWeights, operation);
}
