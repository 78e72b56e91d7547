// The options of gradients, as a caller writes them, what comes back by them, and their readers.

import {
  type Abortable,
  type AttendOptions,
  type AttendState,
  attendFields,
  type ScoreOptions,
} from "../attend/options";
import type { Normalizer } from "../attend/strategy";
import { reader } from "../check/names";
import type { Tensor } from "../tensor/tensor";
import type { Modifications } from "./modified";

/** Of the backward pass, besides those that say which scores were computed. */
export interface GradientOptions {
  /** Gradients wanted besides those of query, key and value. */
  gradients?:
    | {
        /** Of an additive mask, or of each in a list, summed over what was broadcast. */
        readonly mask?: boolean | undefined;
        /** Of the slopes, [H] or [B, H] as they were given. */
        readonly alibi?: boolean | undefined;
        /** Of the sinks, [H]. */
        readonly sinks?: boolean | undefined;
      }
    | undefined;
  /**
   * Goes back through `scoreMod`, with which it is needed: it is given each tile of gradients, of which it sums what
   * scoreMod learns. Tiles come in one order, each once; it may not use this engine; what it throws, the call throws.
   */
  scoreModGradient?: Modifications["scoreModGradient"];
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
}

/** `weights`, `scores` and `logSumExp` may stand as they did in `attend`, and change nothing. */
export type BackwardScoreOptions = Omit<ScoreOptions, "out"> & GradientOptions;

/** Options of `attendBackward`: those of the `attend` it goes back through, and which gradients. */
export type BackwardOptions = Omit<AttendOptions, "out"> & GradientOptions;

/** What `attendBackward` returns; what was not asked for is missing. */
export interface AttendGradients {
  /** In the dims of the query. */
  queryGradient: Tensor;
  /** In the dims of the key. */
  keyGradient: Tensor;
  /** In the dims of the value. */
  valueGradient: Tensor;
  /** In the dims of the mask, summed over what was broadcast. */
  maskGradient?: Tensor;
  /** Instead, where `mask` is a list: as long as it, undefined for those that are not additive. */
  maskGradients?: readonly (Tensor | undefined)[];
  /** [H] or [B, H], as the slopes were given. */
  slopesGradient?: Tensor;
  /** [H] */
  sinksGradient?: Tensor;
  /** [H], of each head's α or budget, where the normalizer has one. It has few digits near α = 1. */
  alphaGradient?: Tensor;
}

export const gradientFields = {
  gradients: 1,
  scoreModGradient: 1,
  out: 1,
  accumulate: 1,
} as const;

const backwardFields = { ...attendFields, ...gradientFields } as const;
export const readBackward = reader<BackwardOptions>(backwardFields);
export const readBackwardAsync = reader<BackwardOptions & Abortable>({
  ...backwardFields,
  signal: 1,
});

/** Of the results of `attend` besides its output, where they went into a loss. */
export interface ResultGradients {
  /**
   * Of `weights` [B, H, L, S], as they were returned by `weights: true` and are handed over too: pointer networks,
   * losses on an alignment, coverage.
   */
  readonly weightsGradient?: Tensor | undefined;
  /** Of logSumExp, in its dims: the z-loss, or the weight of a part that was merged with others. */
  readonly logSumExpGradient?: Tensor | undefined;
}

/** What the forward pass was given and gave, and the gradients of what it gave. */
export interface AttendPass extends Omit<AttendState, "weights">, ResultGradients {
  /** As `attend` was given it. */
  readonly query: Tensor;
  /** As `attend` was given it. */
  readonly key: Tensor;
  /** As `attend` was given it. */
  readonly value: Tensor;
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
  /** As `attend` returned them; without `weightsGradient` they change nothing. */
  readonly weights?: Tensor | undefined;
}

/** A forward pass with a normalizer, whose output and logSumExp are not needed. */
export interface NormalizedPass
  extends Omit<AttendPass, "output" | "logSumExp" | "logSumExpGradient"> {
  /** May stand as it came, and changes nothing. */
  readonly output?: Tensor | undefined;
}

/** Options with which a pass is one. */
export interface Normalized {
  /** As `attend` was given it. */
  normalizer: Normalizer;
}

export const passFields = {
  output: 1,
  logSumExp: 1,
  weights: 1,
  scores: 1,
  outputGradient: 1,
  weightsGradient: 1,
  logSumExpGradient: 1,
} as const;

export const readPass = reader<AttendPass>(
  { query: 1, key: 1, value: 1, ...passFields },
  "{ query, key, value, output, logSumExp, outputGradient }",
);
