// TransformerEncoderLayer (Vaswani et al. 2017, section 3.1).

import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable, Exactly } from "../attend/options";
import { bindMethods } from "../tensor/binding";
import type { Tensor } from "../tensor/tensor";
import type { StateDict } from "../weights/named-weights";
import { TransformerLayer } from "./layer";
import { checkTransformer, transformerSteps } from "./layer-forward";
import { encoderOfNames, Names } from "./layer-names";
import {
  type EncoderForwardOptions,
  type EncoderLayerWeights,
  type PrefixedConfig,
  readConfig,
  readEncoder,
  readEncoderAsync,
  readEncoderWeights,
  readPrefixed,
  type TransformerConfig,
  type TransformerResult,
} from "./layer-options";
import { makeParts } from "./layer-parts";

/**
 * Self-attention and a feed-forward part, each with a residual and a norm: PyTorch's
 * `nn.TransformerEncoderLayer`, Keras's `TransformerEncoder`, and with `causal` or a cache a decoder without
 * memory, as GPT-2's or Llama's blocks.
 */
export class TransformerEncoderLayer extends TransformerLayer {
  /** @internal */
  static override readonly name: string = "TransformerEncoderLayer";

  /**
   * @throws ArgumentError if sizes do not fit each other.
   * @throws MemoryError, DisposedError as `prepareLinear`; nothing stays allocated then.
   */
  constructor(
    attention: Attention<"blocks">,
    config: TransformerConfig,
    weights: EncoderLayerWeights,
  );
  /** @internal `operation` is what the caller called. */
  constructor(
    attention: Attention<"blocks">,
    config: TransformerConfig,
    weights: EncoderLayerWeights,
    operation?: string,
  );
  constructor(
    attention: Attention<"blocks">,
    config: TransformerConfig,
    weights: EncoderLayerWeights,
    operation: string = "TransformerEncoderLayer",
  ) {
    super(attention, operation, () => {
      const form = readConfig(operation, config, "config");
      const read = readEncoderWeights(operation, weights, "weights");
      return makeParts(operation, attention, form, read, false);
    });
    bindMethods(this, TransformerEncoderLayer.prototype);
  }

  /**
   * From the state dict, an object or a Map, of PyTorch's `nn.TransformerEncoderLayer`: `self_attn.in_proj_weight`, `linear1.weight`, `norm1.weight`, …;
   * names outside `prefix` are left alone.
   *
   * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
   */
  static fromPyTorch(
    attention: Attention<"blocks">,
    weights: StateDict,
    config: PrefixedConfig,
  ): TransformerEncoderLayer {
    return encoderOf("fromPyTorch", attention, weights, config);
  }

  /**
   * From the weights of Keras's `TransformerEncoder` by their paths: `self_attention_layer/query/kernel`,
   * `feedforward_layer_norm/gamma`, …;
   * names outside `prefix` are left alone.
   *
   * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
   */
  static fromKeras(
    attention: Attention<"blocks">,
    weights: StateDict,
    config: PrefixedConfig,
  ): TransformerEncoderLayer {
    return encoderOf("fromKeras", attention, weights, config);
  }

  /**
   * x [B, L, E] → output [B, L, E]; both without B too.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`; a cache is as it was then.
   */
  forward<const Options extends EncoderForwardOptions = Record<never, never>>(
    x: Tensor,
    options?: Exactly<Options, EncoderForwardOptions>,
  ): TransformerResult<Options> {
    const name = "forward";
    return this.attention.run(name, (engine) => {
      const read = readEncoder(name, options === undefined ? {} : options);
      const parts = this.parts(name);
      return transformerSteps(engine, this, parts, checkTransformer(name, parts, { x }, read));
    }) as TransformerResult<Options>;
  }

  /** `forward` without holding the calling thread; see `attendAsync`. */
  forwardAsync<const Options extends EncoderForwardOptions & Abortable = Record<never, never>>(
    x: Tensor,
    options?: Exactly<Options, EncoderForwardOptions & Abortable>,
  ): Promise<TransformerResult<Options>> {
    const name = "forwardAsync";
    return this.attention.runAsync(name, () => {
      const { signal, ...read } = readEncoderAsync(name, options === undefined ? {} : options);
      const call = checkTransformer(name, this.parts(name), { x }, read);
      return {
        signal,
        steps: (engine) => transformerSteps(engine, this, this.parts(name), call),
      };
    }) as Promise<TransformerResult<Options>>;
  }
}

type Source = "fromPyTorch" | "fromKeras";

function encoderOf(
  name: Source,
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerEncoderLayer {
  checkAttention(name, attention);
  const { prefix = "", ...read } = readPrefixed(name, config, "config");
  const found = encoderOfNames(new Names(name, weights, prefix), read);
  return new TransformerEncoderLayer(attention, read, found, name);
}
