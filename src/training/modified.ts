// What functions of the caller's do to a tile on the way there and back; the steps are those of
// assembly/backward/modified.ts and assembly/variants/strip-modified.ts.

import type { ScoreOptions, ScoreTile } from "../attend/options";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";

/** A tile of scores on the way back through scoreMod. */
export interface ScoreGradientTile extends ScoreTile {
  /** [rows, columns], as scoreMod was given them; 0 where a query does not see a key. */
  readonly scores: Float32Array;
  /**
   * [rows, columns]: gradients of the scores that scoreMod gave, 0 where a query does not see a key. To be changed in
   * place to those of `scores`; a scoreMod that only adds leaves them as they are.
   */
  readonly gradients: Float32Array;
}

/** A tile of weights. */
export interface WeightTile extends Omit<ScoreTile, "scores"> {
  /** [rows, columns], to be changed in place; valid until the callback returns. */
  readonly weights: Float32Array;
}

/** A tile of weights on the way back through weightMod. */
export interface WeightGradientTile extends Omit<ScoreTile, "scores"> {
  /** [rows, columns], as weightMod was given them. */
  readonly weights: Float32Array;
  /** [rows, columns]: gradients of what weightMod gave, to be changed in place to those of `weights`. */
  readonly gradients: Float32Array;
}

/** Those of one call. */
export interface Modifications {
  readonly scoreMod?: ScoreOptions["scoreMod"];
  readonly scoreModGradient?: ((tile: ScoreGradientTile) => void) | undefined;
  readonly weightMod?: ((tile: WeightTile) => void) | undefined;
  readonly weightModGradient?: ((tile: WeightGradientTile) => void) | undefined;
}

/** What the engine is told to do with a tile, where there is something. */
export function modifyOf({
  scoreMod,
  scoreModGradient,
  weightMod,
  weightModGradient,
}: Modifications): Engine["scoreMod"] {
  if (!scoreMod && !weightMod) return undefined;
  return (tile, step) => {
    const { scores, ...place } = tile;
    if (step === 0) scoreMod?.(tile);
    if (step === 1) scoreModGradient?.({ ...tile, gradients: behind(scores) });
    if (step === 2) weightMod?.({ ...place, weights: scores });
    if (step === 3) weightModGradient?.({ ...place, weights: scores, gradients: behind(scores) });
  };
}

/** As many numbers behind. */
function behind({ buffer, byteOffset, byteLength, length }: Float32Array): Float32Array {
  return new Float32Array(buffer, byteOffset + byteLength, length);
}

/** Functions, and both of a pair or neither: of one without the other no gradient is known. */
export function checkModified(operation: string, given: Modifications): void {
  for (const name of ["scoreMod", "weightMod"] as const) {
    const back = `${name}Gradient` as const;
    checkFunction(operation, name, given[name]);
    checkFunction(operation, back, given[back]);
    if ((given[name] === undefined) === (given[back] === undefined)) continue;
    const [has, lacks] = given[name] ? [name, back] : [back, name];
    throw new ArgumentError(operation, lacks, `a function, with ${has}`, "undefined");
  }
}

/** @throws ArgumentError unless it is a function or left out. */
export function checkFunction(operation: string, argument: string, given: unknown): void {
  if (given === undefined || typeof given === "function") return;
  throw new ArgumentError(operation, argument, "a function", describe(given));
}
