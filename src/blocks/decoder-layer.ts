// TransformerDecoderLayer (Vaswani et al. 2017, section 3.1).

import type { Attention } from "../attend/attention";
import type { Abortable, Exactly } from "../attend/options";
import type { ComposedWeights } from "../layer/composed";
import { bindMethods } from "../tensor/binding";
import type { Tensor } from "../tensor/tensor";
import { checkDecoder } from "./decoder-check";
import { TransformerLayer } from "./layer";
import { transformerSteps } from "./layer-forward";
import {
  type DecoderForwardOptions,
  type DecoderLayerWeights,
  readConfig,
  readDecoder,
  readDecoderAsync,
  readDecoderWeights,
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

  /** @internal */
  protected override again(
    operation: string,
    config: TransformerConfig,
    weights: ComposedWeights,
  ): TransformerDecoderLayer {
    return new TransformerDecoderLayer(
      this.attention,
      config,
      weights as DecoderLayerWeights,
      operation,
    );
  }

  /**
   * x [B, L, E] and a memory [B, S, Em] → output [B, L, E]; all without B too. Not causal by itself, as
   * PyTorch's.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`; a cache is as it was then.
   */
  forward<const Options extends DecoderForwardOptions = Record<never, never>>(
    x: Tensor,
    memory: Tensor | undefined,
    options?: Exactly<Options, DecoderForwardOptions>,
  ): TransformerResult<Options> {
    const name = "forward";
    return this.attention.run(name, (engine) => {
      const read = readDecoder(name, options === undefined ? {} : options);
      const parts = this.parts(name);
      const call = checkDecoder(name, parts, { x, memory }, read);
      return transformerSteps(engine, this, parts, call);
    }) as TransformerResult<Options>;
  }

  /** `forward` without holding the calling thread; see `attendAsync`. */
  forwardAsync<const Options extends DecoderForwardOptions & Abortable = Record<never, never>>(
    x: Tensor,
    memory: Tensor | undefined,
    options?: Exactly<Options, DecoderForwardOptions & Abortable>,
  ): Promise<TransformerResult<Options>> {
    const name = "forwardAsync";
    return this.attention.runAsync(name, () => {
      const { signal, ...read } = readDecoderAsync(name, options === undefined ? {} : options);
      const call = checkDecoder(name, this.parts(name), { x, memory }, read);
      return {
        signal,
        steps: (engine) => transformerSteps(engine, this, this.parts(name), call),
      };
    }) as Promise<TransformerResult<Options>>;
  }
}
