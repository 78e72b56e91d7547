// The layer's constructor arguments: Keras's, under its names or in camel case, and what is a keyword
// of the call there. TensorFlow.js writes such keywords down but does not pass them on.

import type { layers } from "@tensorflow/tfjs-layers";
import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";
import {
  camelCase as camelCaseOf,
  checkBoolean,
  checkDropout,
  checkNames,
  checkSize,
  type DropoutSettings,
  type Given,
  type LayerArgs,
  layerName,
  type SnakeCase,
} from "./layer-arguments";
import { type MaskForm, maskForms } from "./layer-mask";

type DenseArgs = Parameters<typeof layers.dense>[0];

/** How the weights begin and what keeps them in bounds: as of `tf.layers.dense`. */
type WeightArgs = Pick<
  DenseArgs,
  | "kernelInitializer"
  | "biasInitializer"
  | "kernelRegularizer"
  | "biasRegularizer"
  | "kernelConstraint"
  | "biasConstraint"
>;

export interface MultiHeadAttentionArgs extends LayerArgs, WeightArgs {
  /** Heads H. */
  numHeads: number;
  /** Size D of a head's queries and keys. */
  keyDim: number;
  /** Size Dv of a head's values; `keyDim` by default. */
  valueDim?: number | null | undefined;
  /** Share of the weights that is dropped in training; 0 by default. */
  dropout?: number | null | undefined;
  /** Which weights are dropped follows from it and from how often the layer was called; random by default. */
  seed?: number | null | undefined;
  /** Whether the projections have biases; true by default. */
  useBias?: boolean | null | undefined;
  /** Sizes of the output besides batch and sequence; that of the query by default. */
  outputShape?: number | readonly number[] | null | undefined;
  /** Axes that are attended over: the last ones before the features, all but the batch by default. */
  attentionAxes?: number | readonly number[] | null | undefined;
  /** Query i sees keys up to i; false by default. Keras's `use_causal_mask`. */
  useCausalMask?: boolean | null | undefined;
  /** Return the weights beside the output; false by default. Keras's `return_attention_scores`. */
  returnAttentionScores?: boolean | null | undefined;
  /**
   * The last input is a mask, Keras's `attention_mask`: `true`, or for one of two axes `"keys"`, [B, S],
   * or `"pairs"`, [L, S], which has to be said where B = L. `false` says that a third input is a key
   * although it looks like a mask.
   */
  attentionMask?: boolean | MaskForm | null | undefined;
}

/** The same under Keras's names: num_heads, key_dim and so on. */
export type KerasArguments = SnakeCase<MultiHeadAttentionArgs>;

const NAME = "MultiHeadAttention";

/** Whom errors name: the class, and which of its layers. */
export const operationOf = (name: unknown): string => layerName(NAME, name);

const ours = [
  "numHeads",
  "keyDim",
  "valueDim",
  "dropout",
  "seed",
  "useBias",
  "outputShape",
  "attentionAxes",
  "useCausalMask",
  "returnAttentionScores",
  "attentionMask",
] as const;

export const ofWeights = [
  "kernelInitializer",
  "biasInitializer",
  "kernelRegularizer",
  "biasRegularizer",
  "kernelConstraint",
  "biasConstraint",
] as const;

/** In configurations of Keras, and without meaning here: the weights are built by the first call. */
const passedOver = ["queryShape", "keyShape", "valueShape", "flashAttention", "customObjects"];

/** In configurations of Keras, and not to be had here. */
const refused = ["activityRegularizer", "useGate"];

export interface LayerSettings extends DropoutSettings {
  readonly numHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly useBias: boolean;
  readonly outputShape: readonly number[] | null;
  readonly attentionAxes: readonly number[] | null;
  readonly useCausalMask: boolean;
  readonly returnAttentionScores: boolean;
  readonly attentionMask: boolean | MaskForm | null;
}

/** Names in camel case; what is null is left out, as Keras means it. */
export const camelCase = (args: unknown): Given =>
  camelCaseOf(NAME, args, "{ numHeads, keyDim, … }");

/** @throws ArgumentError for an argument that is unknown, of the wrong type or out of range. */
export function checkSettings(given: Given): LayerSettings {
  const operation = operationOf(given.name);
  checkNames(operation, given, { names: [...ours, ...ofWeights], passedOver, refused });
  const keyDim = checkSize(operation, "keyDim", given.keyDim);
  return {
    numHeads: checkSize(operation, "numHeads", given.numHeads),
    keyDim,
    valueDim: checkSize(operation, "valueDim", given.valueDim ?? keyDim),
    ...checkDropout(operation, given),
    useBias: checkBoolean(operation, "useBias", given.useBias, true),
    outputShape: checkList(operation, "outputShape", given.outputShape, (size) => size >= 1),
    attentionAxes: checkList(operation, "attentionAxes", given.attentionAxes, () => true),
    useCausalMask: checkBoolean(operation, "useCausalMask", given.useCausalMask, false),
    returnAttentionScores: checkBoolean(
      operation,
      "returnAttentionScores",
      given.returnAttentionScores,
      false,
    ),
    attentionMask: checkMaskForm(operation, given.attentionMask),
  };
}

function checkMaskForm(operation: string, value: unknown): boolean | MaskForm | null {
  if (value === undefined) return null;
  if (typeof value === "boolean" || maskForms.includes(value as MaskForm)) {
    return value as boolean | MaskForm;
  }
  const expected = `a boolean or one of ${maskForms.join(", ")}`;
  throw new ArgumentError(operation, "attentionMask", expected, describe(value));
}

function checkList(
  operation: string,
  argument: string,
  value: unknown,
  fits: (size: number) => boolean,
): readonly number[] | null {
  if (value === undefined) return null;
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > 0 && list.every((size) => Number.isInteger(size) && fits(size as number))) {
    return list as number[];
  }
  throw new ArgumentError(operation, argument, "an integer or a list of them", describe(value));
}
