// What attend makes weights with instead of softmax, `attend(…, { normalizer: entmax15 })`.

import type { AttendCall } from "../attend/forward";
import type { ScoreOptions } from "../attend/options";
import { type Normalizer, strategyOf } from "../attend/strategy";
import { reader } from "../check/names";
import { numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { checkFunction, type Modifications } from "../training/modified";
import { checkAlpha } from "./entmax";
import { attendCallOf, type StripCall } from "./strip";
import { stripBackwardOf } from "./strip-pass";

/** Of those that are entmax. */
const alphas = /* @__PURE__ */ new WeakMap<object, number | Float32Array>();

/** Weights that are exactly 0 where a key matters too little: α-entmax with α = 2 (Martins & Astudillo 2016). */
export const sparsemax: Normalizer = /* @__PURE__ */ entmaxOf("sparsemax", 2);

/** Between softmax and sparsemax: α-entmax with α = 1.5 (Peters et al. 2019), exact. */
export const entmax15: Normalizer = /* @__PURE__ */ entmaxOf("entmax15", 1.5);

/**
 * α-entmax as a normalizer, α for all heads or one for each (Correia et al. 2019, "Adaptively sparse transformers"):
 * what `sparseAttend` attends by, with the same bits.
 *
 * @throws ArgumentError for α that are not from 1 + 2⁻¹⁰ to 1024.
 */
export function alphaEntmax(alpha: number | ArrayLike<number>): Normalizer {
  const name = "alphaEntmax";
  if (typeof alpha === "number") return entmaxOf(name, checkAlpha(name, "alpha", alpha));
  const numbers = numbersOf(alpha);
  if (!numbers?.length) {
    const expected = "a number, or one for each head";
    throw new ArgumentError(name, "alpha", expected, describe(alpha));
  }
  return entmaxOf(
    name,
    Float32Array.from(numbers, (each, h) => checkAlpha(name, `alpha[${h}]`, each)),
  );
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
  const alpha = normalizer && alphas.get(normalizer);
  if (normalizer !== undefined && alpha === undefined) {
    const expected = "sparsemax, entmax15 or what alphaEntmax made";
    throw new ArgumentError(NAME, "normalizer", expected, describe(normalizer));
  }
  return normalizerOf(normalizer?.name ?? "softmax", alpha, { weightMod, weightModGradient });
}

function entmaxOf(name: string, alpha: number | Float32Array): Normalizer {
  const normalizer = normalizerOf(name, alpha, {});
  alphas.set(normalizer, alpha);
  return normalizer;
}

function normalizerOf(
  name: string,
  alpha: number | Float32Array | undefined,
  { weightMod, weightModGradient }: Partial<ModifiedWeights>,
): Normalizer {
  const stripOf = (call: AttendCall): StripCall => ({
    call: checkCall(call),
    besides: { alphas: alpha === undefined ? undefined : alphasOf(call, alpha), weightMod },
  });
  return strategyOf("normalizer", name, {
    change: (engine, call) => attendCallOf(engine, stripOf(call)),
    backward: (engine, call, pass, options) =>
      stripBackwardOf(engine, stripOf(call), pass, { ...options, weightModGradient }),
  });
}

function alphasOf({ operation, shapes }: AttendCall, alpha: number | Float32Array): Float32Array {
  const { heads } = shapes;
  if (typeof alpha === "number") return new Float32Array(heads).fill(alpha);
  if (alpha.length === heads) return alpha;
  const expected = `an alpha for each of ${heads} heads`;
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
