// The options of gradients, as a caller writes them, what comes back by them, and their readers.

import {
  type Abortable,
  type AttendOptions,
  type AttendState,
  attendFields,
  type ScoreOptions,
} from "../attend/options";
import { reader } from "../check/names";
import type { Tensor } from "../tensor/tensor";

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
export type BackwardScoreOptions = Omit<ScoreOptions, "out" | "scoreMod"> & GradientOptions;

/** Options of `attendBackward`: those of the `attend` it goes back through, and which gradients. */
export type BackwardOptions = Omit<AttendOptions, "out" | "scoreMod"> & GradientOptions;

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
}

export const gradientFields = { gradients: 1, out: 1, accumulate: 1 } as const;

/** A scoreMod is read too, to be refused. */
type BackwardFields = BackwardOptions & Pick<ScoreOptions, "scoreMod">;
const backwardFields = { ...attendFields, ...gradientFields } as const;
export const readBackward = reader<BackwardFields>(backwardFields);
export const readBackwardAsync = reader<BackwardFields & Abortable>({
  ...backwardFields,
  signal: 1,
});

/** What the forward pass was given and gave, and the gradient of its output. */
export interface AttendPass extends AttendState {
  /** As `attend` was given it. */
  readonly query: Tensor;
  /** As `attend` was given it. */
  readonly key: Tensor;
  /** As `attend` was given it. */
  readonly value: Tensor;
  /** In the dims of the output. */
  readonly outputGradient: Tensor;
}

export const readPass = reader<AttendPass>(
  {
    query: 1,
    key: 1,
    value: 1,
    output: 1,
    logSumExp: 1,
    weights: 1,
    scores: 1,
    outputGradient: 1,
  },
  "{ query, key, value, output, logSumExp, outputGradient }",
);
