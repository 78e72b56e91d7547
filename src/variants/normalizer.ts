// What attend makes weights with instead of softmax, `attend(…, { normalizer: entmax15 })`.

import { SparseKind } from "../../assembly/kinds";
import type { AttendCall } from "../attend/forward";
import type { ScoreOptions } from "../attend/options";
import { type Normalizer, strategyOf } from "../attend/strategy";
import { reader } from "../check/names";
import { numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { checkFunction, type Modifications } from "../training/modified";
import { checkAlpha, type Form, forms, KNOWN, type Sparse } from "./forms";
import { attendCallOf, type StripCall } from "./strip";
import { stripBackwardOf } from "./strip-pass";

/** Weights that are exactly 0 where a key matters too little: α-entmax with α = 2 (Martins & Astudillo 2016). */
export const sparsemax: Normalizer = /* @__PURE__ */ sparseOf("sparsemax", SparseKind.entmax, 2);

/** Between softmax and sparsemax: α-entmax with α = 1.5 (Peters et al. 2019), exact. */
export const entmax15: Normalizer = /* @__PURE__ */ sparseOf("entmax15", SparseKind.entmax, 1.5);

/**
 * α-entmax as a normalizer, α for all heads or one for each (Correia et al. 2019, "Adaptively sparse transformers"):
 * what `sparseAttend` attends by, with the same bits.
 *
 * @throws ArgumentError for α that are not from 1 + 2⁻¹⁰ to 1024.
 */
export function alphaEntmax(alpha: number | ArrayLike<number>): Normalizer {
  return checkedOf("alphaEntmax", SparseKind.entmax, "alpha", alpha);
}

/**
 * α-normmax as a normalizer, α for all heads or one for each (Blondel et al. 2020, "Learning with Fenchel-Young
 * losses"): the weights that maximise p·s − ‖p‖_α. Towards 1 it chooses one key; the larger α, the more those that
 * have weight have the same.
 *
 * @throws ArgumentError for α that are not from 1 + 2⁻¹⁰ to 1024.
 */
export function alphaNormmax(alpha: number | ArrayLike<number>): Normalizer {
  return checkedOf("alphaNormmax", SparseKind.normmax, "alpha", alpha);
}

/**
 * Weights of at most 1 that sum to a budget instead of to 1, for all heads or one for each: p = clamp(s − τ, 0, 1), a
 * soft choice of so many keys. Of 1 it is sparsemax; where a query sees no more keys than that, each has 1.
 *
 * @throws ArgumentError for budgets that are not from 2⁻¹⁰ to 2²⁴.
 */
export function budget(total: number | ArrayLike<number>): Normalizer {
  return checkedOf("budget", SparseKind.budget, "total", total);
}

function checkedOf(
  name: string,
  kind: Sparse,
  argument: string,
  given: number | ArrayLike<number>,
): Normalizer {
  const checked = (at: string, each: unknown) => checkAlpha(name, at, each, kind);
  if (typeof given === "number") return sparseOf(name, kind, checked(argument, given));
  const numbers = numbersOf(given);
  if (!numbers?.length) {
    const expected = "a number, or one for each head";
    throw new ArgumentError(name, argument, expected, describe(given));
  }
  const each = Float32Array.from(numbers, (one, h) => checked(`${argument}[${h}]`, one));
  return sparseOf(name, kind, each);
}

/** What `modifiedWeights` is given. */
export interface ModifiedWeights {
  /** Changes each tile of weights in place, see `sparseAttend`. */
  weightMod: NonNullable<Modifications["weightMod"]>;
  /** Goes back through it: for backward passes, which it is needed for. */
  weightModGradient?: Modifications["weightModGradient"];
  /** What makes the weights; softmax by default. */
  normalizer?: Normalizer | undefined;
}

const NAME = "modifiedWeights";
const read = reader<ModifiedWeights>({ weightMod: 1, weightModGradient: 1, normalizer: 1 });

/**
 * A normalizer whose weights a function changes before they meet the values (FlexAttention's prob_mod):
 * `attend(…, { normalizer: modifiedWeights({ weightMod }) })`.
 *
 * @throws ArgumentError for what are no functions, or a normalizer that was not made here.
 */
export function modifiedWeights(options: ModifiedWeights): Normalizer {
  const { weightMod, weightModGradient, normalizer } = read(NAME, options, "{ weightMod, … }");
  if (weightMod === undefined) {
    throw new ArgumentError(NAME, "weightMod", "a function", "undefined");
  }
  checkFunction(NAME, "weightMod", weightMod);
  checkFunction(NAME, "weightModGradient", weightModGradient);
  const form = normalizer && forms.get(normalizer);
  if (normalizer !== undefined && form === undefined) {
    throw new ArgumentError(NAME, "normalizer", KNOWN, describe(normalizer));
  }
  return normalizerOf(normalizer?.name ?? "softmax", form, { weightMod, weightModGradient });
}

function sparseOf(name: string, kind: Sparse, alpha: number | Float32Array): Normalizer {
  const form = { kind, alpha };
  const normalizer = normalizerOf(name, form, {});
  forms.set(normalizer, form);
  return normalizer;
}

function normalizerOf(
  name: string,
  form: Form | undefined,
  { weightMod, weightModGradient }: Partial<ModifiedWeights>,
): Normalizer {
  const stripOf = (call: AttendCall): StripCall => ({
    call: checkCall(call),
    besides: { alphas: form && alphasOf(call, form), kind: form?.kind, weightMod },
  });
  return strategyOf("normalizer", name, {
    change: (engine, call) => attendCallOf(engine, stripOf(call)),
    backward: (engine, call, pass, options) =>
      stripBackwardOf(engine, stripOf(call), pass, { ...options, weightModGradient }),
  });
}

function alphasOf({ operation, shapes }: AttendCall, { kind, alpha }: Form): Float32Array {
  const { heads } = shapes;
  if (typeof alpha === "number") return new Float32Array(heads).fill(alpha);
  if (alpha.length === heads) return alpha;
  const what = kind === SparseKind.budget ? "a budget" : "an alpha";
  const expected = `${what} for each of ${heads} heads`;
  throw new ArgumentError(operation, "normalizer", expected, `${alpha.length}`);
}

const WITHOUT: { readonly [Name in keyof ScoreOptions]: string } = {
  sinks: "it has none",
  dropout: "which weights are 0 follows from the scores",
  logSumExp: "its results are not merged by it, as those of appended keys are",
  precision: "it computes in float32",
};

/** Without the options that softmax alone has. */
function checkCall(call: AttendCall): AttendCall {
  const { operation, options } = call;
  for (const [name, why] of Object.entries(WITHOUT)) {
    const given = options[name as keyof ScoreOptions];
    if (given === undefined || given === false) continue;
    const expected = `no value with a normalizer: ${why}`;
    throw new ArgumentError(operation, name, expected, describe(given));
  }
  return call;
}
