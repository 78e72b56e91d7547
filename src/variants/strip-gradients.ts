// The options of sparseAttendBackward, additiveAttentionBackward and spanAttendBackward, and what comes back by them.

import type { Tensor } from "../tensor/tensor";
import type { Modifications } from "../training/modified";
import type { AdditiveOptions } from "./additive";
import type { SpanOptions } from "./span";
import type { SparseAttendOptions } from "./sparse-attend";

/** What the forward pass was given, and the gradients of what it gave. */
export interface VariantPass {
  /** As the forward pass was given it. */
  readonly query: Tensor;
  /** As the forward pass was given it. */
  readonly key: Tensor;
  /** As the forward pass was given it. */
  readonly value: Tensor;
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
  /** Of the weights [B, H, L, S], where they went into a loss; in the dims that they had. */
  readonly weightsGradient?: Tensor | undefined;
}

/** Where gradients go. */
export interface VariantTargets {
  /** Where to write the gradients: as many elements as the tensors have. */
  out?:
    | {
        /** Of the query. */
        readonly query?: Float32Array | Tensor | undefined;
        /** Of the key. */
        readonly key?: Float32Array | Tensor | undefined;
        /** Of the value. */
        readonly value?: Float32Array | Tensor | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`. */
  accumulate?: boolean | undefined;
  /** Goes back through `scoreMod`, with which it is needed: see `attendBackward`. */
  scoreModGradient?: Modifications["scoreModGradient"];
  /** Goes back through `weightMod`, with which it is needed, likewise. */
  weightModGradient?: Modifications["weightModGradient"];
}

/** Options of `sparseAttendBackward`: those of the forward pass, and where gradients go. */
export type SparseBackwardOptions = Omit<SparseAttendOptions, "out"> & VariantTargets;

/** Options of `additiveAttentionBackward`, likewise. */
export type AdditiveBackwardOptions = Omit<AdditiveOptions, "out"> & VariantTargets;

/** Options of `spanAttendBackward`, likewise. */
export type SpanBackwardOptions = Omit<SpanOptions, "out"> & VariantTargets;

/** What `spanAttendBackward` returns. */
export interface SpanGradients {
  /** In the dims of the query. */
  queryGradient: Tensor;
  /** In the dims of the key. */
  keyGradient: Tensor;
  /** In the dims of the value. */
  valueGradient: Tensor;
  /** Of each head's span, [H]. */
  spansGradient: Tensor;
}

/** What `sparseAttendBackward` returns. */
export interface SparseGradients {
  /** In the dims of the query. */
  queryGradient: Tensor;
  /** In the dims of the key. */
  keyGradient: Tensor;
  /** In the dims of the value. */
  valueGradient: Tensor;
  /** Of each head's α, [H]. It has few digits near α = 1. */
  alphaGradient: Tensor;
}

/** What `additiveAttentionBackward` returns. */
export interface AdditiveGradients {
  /** In the dims of the query. */
  queryGradient: Tensor;
  /** In the dims of the key. */
  keyGradient: Tensor;
  /** In the dims of the value. */
  valueGradient: Tensor;
  /** Of v: [D], or [H, D] where it was given so. */
  scoreWeightGradient: Tensor;
  /** Of b: as v's. */
  scoreBiasGradient: Tensor;
  /** Of each head's α [H], where there is one. */
  alphaGradient?: Tensor;
}
