// The layer's constructor arguments: Keras's, under its names or in camel case, and what is a keyword
// of the call there. TensorFlow.js writes such keywords down but does not pass them on.

import type { layers } from "@tensorflow/tfjs-layers";
import { ArgumentError } from "wasm-attention";
import { describe } from "../errors";
import { type MaskForm, maskForms } from "./layer-mask";
import { unknownName } from "./suggestion";

type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;
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

type Snake<Name extends string> = Name extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Tail>}`
  : Name;

/** The same under Keras's names: num_heads, key_dim and so on. */
export type KerasArguments = {
  [Name in keyof MultiHeadAttentionArgs as Snake<Name>]: MultiHeadAttentionArgs[Name];
};

const NAME = "MultiHeadAttention";

/** Whom errors name: the class, and which of its layers. */
export const operationOf = (name: unknown): string =>
  typeof name === "string" ? `${NAME} ${describe(name)}` : NAME;

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

/** Those of every layer of TensorFlow.js. */
const ofLayers = [
  "inputShape",
  "batchInputShape",
  "batchSize",
  "dtype",
  "name",
  "trainable",
  "weights",
  "inputDType",
];

/** In configurations of Keras, and without meaning here: the weights are built by the first call. */
const passedOver = ["queryShape", "keyShape", "valueShape", "flashAttention", "customObjects"];

/** In configurations of Keras, and not to be had here. */
const refused = ["activityRegularizer", "useGate"];

export interface LayerSettings {
  readonly numHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly dropout: number;
  readonly seed: number | null;
  readonly useBias: boolean;
  readonly outputShape: readonly number[] | null;
  readonly attentionAxes: readonly number[] | null;
  readonly useCausalMask: boolean;
  readonly returnAttentionScores: boolean;
  readonly attentionMask: boolean | MaskForm | null;
}

type Given = Record<string, unknown>;

/** Names in camel case; what is null is left out, as Keras means it. */
export function camelCase(args: unknown): Given {
  if (typeof args !== "object" || args === null) {
    throw new ArgumentError(NAME, "args", "{ numHeads, keyDim, … }", describe(args));
  }
  const camel = (name: string) => name.replace(/_+(\w)/g, (_, letter) => letter.toUpperCase());
  const given = Object.entries(args).filter(([, value]) => value !== null && value !== undefined);
  const named = Object.fromEntries(given.map(([name, value]) => [camel(name), value]));
  for (const [name, value] of given) {
    if (named[camel(name)] === value) continue;
    throw new ArgumentError(operationOf(named.name), name, `one value with ${camel(name)}`, "two");
  }
  return named;
}

/** @throws ArgumentError for an argument that is unknown, of the wrong type or out of range. */
export function checkSettings(given: Given): LayerSettings {
  const operation = operationOf(given.name);
  const known: readonly string[] = [...ours, ...ofWeights, ...ofLayers, ...passedOver];
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    if (refused.includes(name)) {
      if (given[name] === false) continue;
      throw new ArgumentError(
        operation,
        name,
        "no value: it is not supported",
        describe(given[name]),
      );
    }
    throw unknownName(operation, name, [...ours, ...ofWeights, ...ofLayers]);
  }
  const { dropout = 0, seed = null } = given;
  if (!(typeof dropout === "number" && dropout >= 0 && dropout < 1)) {
    const expected = "a number from 0 to less than 1";
    throw new ArgumentError(operation, "dropout", expected, describe(dropout));
  }
  if (seed !== null && !(Number.isInteger(seed) && isIn(seed as number, 0, 2 ** 32))) {
    const expected = "an integer from 0 to 2³² − 1";
    throw new ArgumentError(operation, "seed", expected, describe(seed));
  }
  const keyDim = checkSize(operation, "keyDim", given.keyDim);
  return {
    numHeads: checkSize(operation, "numHeads", given.numHeads),
    keyDim,
    valueDim: checkSize(operation, "valueDim", given.valueDim ?? keyDim),
    dropout,
    seed: seed as number | null,
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

/** @throws ArgumentError unless TensorFlow.js, or who calls the layer, says so by a boolean. */
export function isTraining(operation: string, training: unknown): boolean {
  return checkBoolean(operation, "training", training ?? undefined, false);
}

const isIn = (value: number, from: number, end: number) => value >= from && value < end;

function checkSize(operation: string, argument: string, value: unknown): number {
  if (Number.isInteger(value) && isIn(value as number, 1, 2 ** 31)) return value as number;
  throw new ArgumentError(operation, argument, "an integer from 1", describe(value));
}

function checkBoolean(
  operation: string,
  argument: string,
  value: unknown,
  byDefault: boolean,
): boolean {
  if (value === undefined) return byDefault;
  if (typeof value === "boolean") return value;
  throw new ArgumentError(operation, argument, "a boolean", describe(value));
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
