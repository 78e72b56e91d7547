// TransformerEncoderLayer (Vaswani et al. 2017, section 3.1).

import type { Attention } from "../attend/attention";
import type { Abortable, Exactly } from "../attend/options";
import type { ComposedWeights } from "../layer/composed";
import { bindMethods } from "../tensor/binding";
import type { Tensor } from "../tensor/tensor";
import { TransformerLayer } from "./layer";
import { checkTransformer } from "./layer-check";
import { transformerSteps } from "./layer-forward";
import {
  type EncoderForwardOptions,
  type EncoderLayerWeights,
  readConfig,
  readEncoder,
  readEncoderAsync,
  readEncoderWeights,
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

  /** @internal */
  protected override again(
    operation: string,
    config: TransformerConfig,
    weights: ComposedWeights,
  ): TransformerEncoderLayer {
    return new TransformerEncoderLayer(this.attention, config, weights, operation);
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
      return transformerSteps(engine, this, parts, checkTransformer(name, parts, x, read));
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
      const call = checkTransformer(name, this.parts(name), x, read);
      return {
        signal,
        steps: (engine) => transformerSteps(engine, this, this.parts(name), call),
      };
    }) as Promise<TransformerResult<Options>>;
  }
}
