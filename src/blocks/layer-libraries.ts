// Transformer layers of weights as other libraries keep them: functions, so that who reads none of them does
// not load how.

import { type Attention, checkAttention } from "../attend/attention";
import type { StateDict } from "../weights/named-weights";
import { TransformerDecoderLayer } from "./decoder-layer";
import { TransformerEncoderLayer } from "./encoder-layer";
import { decoderOfNames, encoderOfNames, Names } from "./layer-names";
import { type PrefixedConfig, readPrefixed } from "./layer-options";

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

function encoderOf(
  name: string,
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerEncoderLayer {
  checkAttention(name, attention);
  const { prefix = "", ...read } = readPrefixed(name, config, "config");
  const found = encoderOfNames(new Names(name, weights, prefix), read);
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
  const found = decoderOfNames(new Names(name, weights, prefix), read);
  return new TransformerDecoderLayer(attention, read, found, name);
}
