// Where the gradients of a layer go, and what comes back.

import type { BiasKeyValue } from "../layer/appended";
import type { LayerWeights } from "../layer/projections";
import type { Tensor } from "../tensor/tensor";
import type { GradientOptions } from "./options";

/** Of a projection. */
export interface ProjectionGradients {
  /** In the dims and the order of its matrix. */
  readonly weight: Tensor;
  /** Where it has a bias. */
  readonly bias?: Tensor | undefined;
}

export type Targets<T> = { readonly [Name in keyof T]?: T[Name] | Float32Array | undefined };

/** Options of `multiHeadBackward`. */
export interface LayerBackwardOptions {
  /** Gradients wanted besides: of additive masks, of ALiBi's slopes and of the sinks. */
  gradients?: GradientOptions["gradients"];
  /** As that of `attendBackward`, where the forward pass had a `scoreMod`. */
  scoreModGradient?: GradientOptions["scoreModGradient"];
  /** Where to write the gradients: as many elements as they have. */
  out?:
    | {
        /** Of the query. */
        readonly query?: Float32Array | Tensor | undefined;
        /** Of the key. */
        readonly key?: Float32Array | Tensor | undefined;
        /** Of the value. */
        readonly value?: Float32Array | Tensor | undefined;
        /** Of the projections. */
        readonly weights?:
          | { readonly [Name in keyof LayerWeights]?: Targets<ProjectionGradients> | undefined }
          | undefined;
        /** Of the bias key and value. */
        readonly biasKeyValue?: Targets<BiasKeyValue> | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`. */
  accumulate?: boolean | undefined;
}

/** What `multiHeadBackward` returns; what was not asked for is missing. */
export interface LayerGradients {
  /**
   * In the dims of the query. The gradient of a key or value that `forward` was not given is part of
   * that of the input which stood for it.
   */
  queryGradient: Tensor;
  /** Where a key was given. */
  keyGradient?: Tensor;
  /** Where a value was given. */
  valueGradient?: Tensor;
  /** Of the four projections. */
  weights: Record<keyof LayerWeights, ProjectionGradients>;
  /** Of the bias key and value, in their dims, where the layer has them. */
  biasKeyValue?: BiasKeyValue;
  /** In the dims of the mask. */
  maskGradient?: Tensor;
  /** Instead, where `mask` is a list: as long as it, undefined for those that are not additive. */
  maskGradients?: readonly (Tensor | undefined)[];
  /** [H] or [B, H], as the slopes were given. */
  slopesGradient?: Tensor;
  /** [H] */
  sinksGradient?: Tensor;
  /** [H], of each head's α or budget, where the normalizer has one. */
  alphaGradient?: Tensor;
}
