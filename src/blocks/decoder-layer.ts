// TransformerDecoderLayer (Vaswani et al. 2017, section 3.1).

import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable, Exactly } from "../attend/options";
import { ArgumentError, describe } from "../errors";
import { bindMethods } from "../tensor/binding";
import { checkTensor, type Tensor } from "../tensor/tensor";
import type { StateDict } from "../weights/named-weights";
import { TransformerLayer } from "./layer";
import { checkTransformer, transformerSteps } from "./layer-forward";
import { decoderOfNames, Names } from "./layer-names";
import {
  type DecoderForwardOptions,
  type DecoderLayerWeights,
  type PrefixedConfig,
  readConfig,
  readCross,
  readDecoder,
  readDecoderAsync,
  readDecoderWeights,
  readPrefixed,
  type TransformerConfig,
  type TransformerResult,
} from "./layer-options";
import { makeParts } from "./layer-parts";

/**
 * Self-attention, attention to a memory and a feed-forward part, each with a residual and a norm: PyTorch's
 * `nn.TransformerDecoderLayer`, Keras's `TransformerDecoder`.
 */
export class TransformerDecoderLayer extends TransformerLayer {
  /** @internal */
  static override readonly name: string = "TransformerDecoderLayer";

  /**
   * @throws ArgumentError if sizes do not fit each other.
   * @throws MemoryError, DisposedError as `prepareLinear`; nothing stays allocated then.
   */
  constructor(
    attention: Attention<"blocks">,
    config: TransformerConfig,
    weights: DecoderLayerWeights,
  );
  /** @internal `operation` is what the caller called. */
  constructor(
    attention: Attention<"blocks">,
    config: TransformerConfig,
    weights: DecoderLayerWeights,
    operation?: string,
  );
  constructor(
    attention: Attention<"blocks">,
    config: TransformerConfig,
    weights: DecoderLayerWeights,
    operation: string = "TransformerDecoderLayer",
  ) {
    super(attention, operation, () => {
      const form = readConfig(operation, config, "config");
      const read = readDecoderWeights(operation, weights, "weights");
      return makeParts(operation, attention, form, read, true);
    });
    bindMethods(this, TransformerDecoderLayer.prototype);
  }

  /**
   * From the state dict, an object or a Map, of PyTorch's `nn.TransformerDecoderLayer`: `self_attn.…`, `multihead_attn.…`, `linear1.weight`, `norm3.bias`, …;
   * names outside `prefix` are left alone.
   *
   * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
   */
  static fromPyTorch(
    attention: Attention<"blocks">,
    weights: StateDict,
    config: PrefixedConfig,
  ): TransformerDecoderLayer {
    return decoderOf("fromPyTorch", attention, weights, config);
  }

  /**
   * From the weights of Keras's `TransformerDecoder` by their paths: `self_attention/query/kernel`,
   * `cross_attention/query/kernel`, `feedforward_layer_norm/gamma`, …;
   * names outside `prefix` are left alone.
   *
   * @throws ArgumentError for a weight that is missing, or that the layer has no place for.
   */
  static fromKeras(
    attention: Attention<"blocks">,
    weights: StateDict,
    config: PrefixedConfig,
  ): TransformerDecoderLayer {
    return decoderOf("fromKeras", attention, weights, config);
  }

  /**
   * x [B, L, E] and a memory [B, S, Em] → output [B, L, E]; all without B too. Not causal by itself, as
   * PyTorch's.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`; a cache is as it was then.
   */
  forward<const Options extends DecoderForwardOptions = Record<never, never>>(
    x: Tensor,
    memory: Tensor,
    options?: Exactly<Options, DecoderForwardOptions>,
  ): TransformerResult<Options> {
    const name = "forward";
    return this.attention.run(name, (engine) => {
      const read = readDecoder(name, options === undefined ? {} : options);
      const parts = this.parts(name);
      const call = checkTransformer(name, parts, this.#given(name, x, memory), ofBoth(name, read));
      return transformerSteps(engine, this, parts, call);
    }) as TransformerResult<Options>;
  }

  /** `forward` without holding the calling thread; see `attendAsync`. */
  forwardAsync<const Options extends DecoderForwardOptions & Abortable = Record<never, never>>(
    x: Tensor,
    memory: Tensor,
    options?: Exactly<Options, DecoderForwardOptions & Abortable>,
  ): Promise<TransformerResult<Options>> {
    const name = "forwardAsync";
    return this.attention.runAsync(name, () => {
      const { signal, ...read } = readDecoderAsync(name, options === undefined ? {} : options);
      const given = this.#given(name, x, memory);
      const call = checkTransformer(name, this.parts(name), given, ofBoth(name, read));
      return {
        signal,
        steps: (engine) => transformerSteps(engine, this, this.parts(name), call),
      };
    }) as Promise<TransformerResult<Options>>;
  }

  #given(operation: string, x: Tensor, given: Tensor) {
    const memory = checkTensor(operation, "memory", given);
    const size = this.parts(operation).cross?.parts(operation).projections.key.inputSize;
    if (memory.dims.at(-1) === size) return { x, memory };
    const expected = `[B, S, ${size}] or [S, ${size}]`;
    throw new ArgumentError(operation, "memory.dims", expected, describe(memory.dims));
  }
}

function ofBoth(operation: string, options: DecoderForwardOptions): DecoderForwardOptions {
  const { cross } = options;
  return cross === undefined
    ? options
    : { ...options, cross: readCross(operation, cross, "cross") };
}

type Source = "fromPyTorch" | "fromKeras";

function decoderOf(
  name: Source,
  attention: Attention<"blocks">,
  weights: StateDict,
  config: PrefixedConfig,
): TransformerDecoderLayer {
  checkAttention(name, attention);
  const { prefix = "", ...read } = readPrefixed(name, config, "config");
  const found = decoderOfNames(new Names(name, weights, prefix), read);
  return new TransformerDecoderLayer(attention, read, found, name);
}
