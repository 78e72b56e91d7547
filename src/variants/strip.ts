// Calls of attend's shape with another kernel than the core's: see assembly/variants/strip-attend.ts.

import { SparseKind, VariantsKernel } from "../../assembly/kinds";
import { AttendFrame, VariantAttendFrame as Frame } from "../../build/frames";
import { isFloats, lengthOf } from "../arrays";
import { type AttendCall, checkAttend, checkAttendOf } from "../attend/forward";
import {
  type AttendOptions,
  type AttendResult,
  attendFields,
  type Exactly,
  type Layout,
} from "../attend/options";
import type { Inputs } from "../check/shapes";
import { numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import type { Staging } from "../run/staging";
import { checkTensor, checkVector, type Tensor } from "../tensor/tensor";
import { checkFunction, type Modifications, modifyOf } from "../training/modified";
import { checkAlpha } from "./forms";

/** Options that these calls have of `attend`'s: neither sinks nor dropout. */
export interface StripOptions
  extends Omit<AttendOptions, "sinks" | "dropout" | "logSumExp" | "precision" | "normalizer"> {
  /**
   * Changes each tile of weights in place before they meet the values (FlexAttention's prob_mod); those returned are
   * the changed ones. Keys that a query does not see keep a weight of 0. Tiles come in any order, of those that some
   * query sees; it may not use this engine; what it throws, the call throws.
   */
  weightMod?: Modifications["weightMod"];
}

const {
  sinks: _,
  dropout: __,
  logSumExp: ___,
  precision: ____,
  normalizer: _____,
  ...fields
} = attendFields;
export const stripFields = { ...fields, weightMod: 1 } as const;

export type { AttendResult, Exactly };

/** Of each head, [H]: see `entmax`. */
export function checkAlphas(operation: string, given: unknown, heads: number): Float32Array {
  if (typeof given === "number") {
    return new Float32Array(heads).fill(checkAlpha(operation, "alpha", given));
  }
  const numbers = numbersOf(given, [heads]);
  if (!numbers) {
    const expected = `a number, or ${heads}, one for each head`;
    throw new ArgumentError(operation, "alpha", expected, describe(given));
  }
  return Float32Array.from(numbers, (alpha, h) => checkAlpha(operation, `alpha[${h}]`, alpha));
}

/** What the kernel is told besides. */
export interface Besides {
  readonly alphas?: Float32Array | undefined;
  /** What they are of; entmax by default. */
  readonly kind?: SparseKind | undefined;
  readonly additive?: Additive | undefined;
  readonly spans?: Spans | undefined;
  readonly weightMod?: Modifications["weightMod"];
}

/** Of each head, and the ramp behind. */
export interface Spans {
  readonly each: Float32Array;
  readonly ramp: number;
}

/** v and b, [D] or [H, D]. */
export interface Additive {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly perHead: boolean;
}

/** v and b of `heads` heads; v is 1 where it is not given. */
export function checkAdditive(
  operation: string,
  given: { readonly scoreWeight?: unknown; readonly scoreBias?: unknown },
  [heads, size]: readonly [heads: number, size: number],
): Additive {
  const wide = (vector: unknown) => elementsGiven(operation, vector) === heads * size;
  const { scoreWeight = new Float32Array(size).fill(1), scoreBias } = given;
  const perHead = heads > 1 && wide(scoreWeight);
  const elements = perHead ? heads * size : size;
  const bias =
    scoreBias === undefined ? undefined : checkVector(operation, "scoreBias", scoreBias, elements);
  return { weight: checkVector(operation, "scoreWeight", scoreWeight, elements), bias, perHead };
}

function elementsGiven(operation: string, vector: unknown): number {
  if (isFloats(vector)) return lengthOf(vector);
  return checkTensor(operation, "scoreWeight", vector).dims.reduce((a, b) => a * b, 1);
}

export function stageBesides(
  engine: Engine,
  staging: Staging,
  { alphas, kind = SparseKind.entmax, additive, spans, weightMod }: Besides,
) {
  const { words } = engine;
  words[Frame.sparse] = alphas ? kind : SparseKind.none;
  words[Frame.weighed] = weightMod ? 1 : 0;
  words[Frame.additive] = additive ? 1 : 0;
  if (alphas) staging.data(Frame.alphas, "alpha", alphas, alphas.length);
  words[Frame.spanned] = spans ? 1 : 0;
  if (spans) {
    engine.floats[Frame.ramp] = spans.ramp;
    staging.data(Frame.spans, "spans", spans.each, spans.each.length);
  }
  if (!additive) return;
  const { weight, bias, perHead } = additive;
  words[Frame.scoreHead] = perHead ? (words[AttendFrame.headSize] as number) : 0;
  words[Frame.biased] = bias ? 1 : 0;
  staging.tensor(Frame.scoreWeight, "scoreWeight", weight);
  if (bias) staging.tensor(Frame.scoreBias, "scoreBias", bias);
}

/** The call, before an engine is known. */
export interface StripCall {
  readonly call: AttendCall;
  readonly besides: Besides;
}

export function checkStrip(
  operation: string,
  inputs: readonly [query: Tensor, key: Tensor, value: Tensor],
  { weightMod, ...options }: AttendOptions & Pick<StripOptions, "weightMod">,
  besides: (sizes: readonly [heads: number, size: number]) => Besides,
): StripCall {
  checkFunction(operation, "weightMod", weightMod);
  const call = checkAttend(operation, ...inputs, options);
  return { call, besides: { ...besides([call.shapes.heads, call.shapes.headSize]), weightMod } };
}

/** The same with inputs of which only the dims are looked at. */
export function checkStripOf(
  operation: string,
  inputs: Inputs,
  options: AttendOptions & { readonly layout: Layout },
  besides: (sizes: readonly [heads: number, size: number]) => Besides,
): StripCall {
  const call = checkAttendOf(operation, inputs, options.layout, options);
  return { call, besides: besides([call.shapes.heads, call.shapes.headSize]) };
}

/** The call that `callAttend` makes. */
export function attendCallOf(engine: Engine, { call, besides }: StripCall): AttendCall {
  const module = moduleOf(engine, call.operation, "variants");
  return {
    ...call,
    kernel: { module, kernel: VariantsKernel.stripAttend },
    modify: modifyOf({ scoreMod: call.options.scoreMod, weightMod: besides.weightMod }),
    pages(staging, query) {
      if (call.pages) call.pages(staging, query);
      else {
        staging.tensor(AttendFrame.key, "key", call.inputs.key);
        staging.tensor(AttendFrame.value, "value", call.inputs.value);
      }
      stageBesides(engine, staging, besides);
    },
  };
}
