// What attend makes weights with instead of softmax, `attend(…, { normalizer: entmax15 })`.

import type { AttendCall } from "../attend/forward";
import type { ScoreOptions } from "../attend/options";
import { type Normalizer, strategyOf } from "../attend/strategy";
import { numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { checkAlpha } from "./entmax";
import { attendCallOf, type StripCall } from "./strip";
import { stripBackwardOf } from "./strip-backward";

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

function entmaxOf(name: string, alpha: number | Float32Array): Normalizer {
  const stripOf = (call: AttendCall): StripCall => ({
    call: checkCall(call),
    besides: { alphas: alphasOf(call, alpha) },
  });
  return strategyOf("normalizer", name, {
    change: (engine, call) => attendCallOf(engine, stripOf(call)),
    backward: (engine, call, pass, options) =>
      stripBackwardOf(engine, stripOf(call), pass, options),
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
  logSumExp: "it has none, nor can its results be merged, as those of appended keys are",
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
