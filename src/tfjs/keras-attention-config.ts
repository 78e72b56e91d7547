// The constructor arguments of Keras's Attention and AdditiveAttention, and what is a keyword of the call
// there: see layer-config.ts.

import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";
import {
  checkBoolean,
  checkDropout,
  checkNames,
  type DropoutSettings,
  type Given,
  type LayerArgs,
  layerName,
  type SnakeCase,
} from "./layer-arguments";

/** What `Attention` and `AdditiveAttention` have in common. */
export interface AdditiveAttentionArgs extends LayerArgs {
  /** Whether scores have a weight that learns. */
  useScale?: boolean | null | undefined;
  /** Share of the weights that is dropped in training; 0 by default. */
  dropout?: number | null | undefined;
  /** Which weights are dropped follows from it and from how often the layer was called; random by default. */
  seed?: number | null | undefined;
  /** Query i sees keys up to i; false by default. Keras's `use_causal_mask`. */
  useCausalMask?: boolean | null | undefined;
  /** Return the weights [B, L, S] beside the output; false by default. Keras's `return_attention_scores`. */
  returnAttentionScores?: boolean | null | undefined;
  /** One more input after query, value and key, [B, L]: where it is 0 the output is 0. The first of Keras's `mask`. */
  queryMask?: boolean | null | undefined;
  /** One more input, the last, [B, S]: what is 0 does not take part. The second of Keras's `mask`. */
  valueMask?: boolean | null | undefined;
}

/** The arguments of `Attention`. */
export interface AttentionArgs extends AdditiveAttentionArgs {
  /** `"dot"` (default), query·key; or `"concat"`, a learned factor times Σ tanh(query + key). */
  scoreMode?: "dot" | "concat" | null | undefined;
}

/** The same under Keras's names: use_scale and so on. */
export type KerasAttentionArguments = SnakeCase<AttentionArgs>;
/** The same under Keras's names. */
export type KerasAdditiveArguments = SnakeCase<AdditiveAttentionArgs>;

const shared = [
  "useScale",
  "dropout",
  "seed",
  "useCausalMask",
  "returnAttentionScores",
  "queryMask",
  "valueMask",
] as const;

export interface AttentionSettings extends DropoutSettings {
  readonly useScale: boolean;
  readonly useCausalMask: boolean;
  readonly returnAttentionScores: boolean;
  readonly queryMask: boolean;
  readonly valueMask: boolean;
}

/** What a class has besides, and what `useScale` is by default. */
export interface ClassOfLayer {
  readonly name: "Attention" | "AdditiveAttention";
  readonly useScale: boolean;
  readonly besides: readonly string[];
}

/** @throws ArgumentError for an argument that is unknown, of the wrong type or out of range. */
export function checkAttentionSettings(of: ClassOfLayer, given: Given): AttentionSettings {
  const operation = layerName(of.name, given.name);
  checkNames(operation, given, {
    names: [...shared, ...of.besides],
    passedOver: ["customObjects"],
    refused: ["activityRegularizer"],
  });
  const flag = (name: keyof AttentionSettings, byDefault = false) =>
    checkBoolean(operation, name, given[name], byDefault);
  return {
    useScale: flag("useScale", of.useScale),
    ...checkDropout(operation, given),
    useCausalMask: flag("useCausalMask"),
    returnAttentionScores: flag("returnAttentionScores"),
    queryMask: flag("queryMask"),
    valueMask: flag("valueMask"),
  };
}

export function checkScoreMode(operation: string, { scoreMode = "dot" }: Given): "dot" | "concat" {
  if (scoreMode === "dot" || scoreMode === "concat") return scoreMode;
  throw new ArgumentError(operation, "scoreMode", '"dot" or "concat"', describe(scoreMode));
}
