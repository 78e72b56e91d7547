// What is done to the scores before the softmax, and which of them are returned: checked
// and made plain for the kernel.

import { AlibiDistance, ScoresKind, WeightsKind } from "../../assembly/kinds";
import type { Alibi, ScoreOptions } from "../attend/options";
import { ArgumentError, describe } from "../errors";
import { reader } from "./names";
import type { Shapes } from "./shapes";
import { numbersOf } from "./values";

export interface Scoring {
  readonly scale: number;
  /** 0 for none. */
  readonly softcap: number;
  readonly alibi: { slopes: Float32Array; distance: AlibiDistance; perBatch: boolean } | undefined;
  readonly sinks: Float32Array | undefined;
  readonly scoresKind: ScoresKind;
  readonly weightsKind: WeightsKind;
  /** Whether the weights are wanted as `scores`. */
  readonly probabilities: boolean;
}

const DISTANCES = {
  absolute: AlibiDistance.absolute,
  signed: AlibiDistance.signed,
  key: AlibiDistance.key,
};

const SCORES = {
  raw: ScoresKind.raw,
  capped: ScoresKind.capped,
  biased: ScoresKind.biased,
  probabilities: ScoresKind.none,
};

export function checkScoring(operation: string, shapes: Shapes, options: ScoreOptions): Scoring {
  const { heads, headSize } = shapes;
  const { scale, softcap = 0, sinks, scoreMod, scores } = options;
  const finite = (value: unknown) =>
    typeof value === "number" && Number.isFinite(Math.fround(value));
  if (scale !== undefined && !finite(scale)) {
    throw new ArgumentError(operation, "scale", "a finite number", describe(scale));
  }
  if (!finite(softcap) || softcap < 0 || (softcap > 0 && Math.fround(softcap) === 0)) {
    throw new ArgumentError(operation, "softcap", "a finite number from 0", describe(softcap));
  }
  if (scoreMod !== undefined && typeof scoreMod !== "function") {
    throw new ArgumentError(operation, "scoreMod", "a function", describe(scoreMod));
  }
  if (scores !== undefined && !Object.hasOwn(SCORES, scores)) {
    const expected = '"raw", "capped", "biased" or "probabilities"';
    throw new ArgumentError(operation, "scores", expected, describe(scores));
  }
  const probabilities = scores === "probabilities";
  const weightsKind = checkWeights(operation, options.weights);
  if (probabilities && weightsKind === WeightsKind.mean) {
    const expected = 'true or no value with scores "probabilities"';
    throw new ArgumentError(operation, "weights", expected, '"mean"');
  }
  return {
    scale: scale ?? 1 / Math.sqrt(headSize),
    softcap,
    alibi: options.alibi === undefined ? undefined : checkAlibi(operation, shapes, options.alibi),
    sinks:
      sinks === undefined
        ? undefined
        : perHead(operation, "sinks", sinks, [heads], {
            expected: "a finite number or −Infinity",
            fits: (sink) => Number.isFinite(sink) || sink === -Infinity,
          }),
    scoresKind: scores === undefined ? ScoresKind.none : SCORES[scores],
    weightsKind: probabilities ? WeightsKind.perHead : weightsKind,
    probabilities,
  };
}

const readAlibi = reader<Alibi>({ slopes: 1, distance: 1 }, "{ slopes, distance? }");

function checkAlibi(operation: string, { batch, heads }: Shapes, alibi: Alibi) {
  const { slopes, distance = "absolute" } = readAlibi(operation, alibi, "alibi");
  if (!Object.hasOwn(DISTANCES, distance)) {
    const expected = '"absolute", "signed" or "key"';
    throw new ArgumentError(operation, "alibi.distance", expected, describe(distance));
  }
  const checked = perHead(operation, "alibi.slopes", slopes, [heads, batch * heads], {
    expected: "a finite number",
    fits: Number.isFinite,
  });
  return {
    slopes: checked,
    distance: DISTANCES[distance],
    perBatch: checked.length !== heads,
  };
}

interface Wanted {
  readonly expected: string;
  fits(value: number): boolean;
}

/** Float32 numbers, as many as one of `counts`. */
function perHead(
  operation: string,
  argument: string,
  values: ArrayLike<number>,
  counts: readonly number[],
  { expected, fits }: Wanted,
): Float32Array {
  const numbers = numbersOf(values, counts);
  if (!numbers) {
    const wanted = [...new Set(counts)].join(" or ");
    throw new ArgumentError(
      operation,
      argument,
      `${wanted} numbers, one for each head`,
      describe(values),
    );
  }
  const checked = new Float32Array(numbers.length);
  for (const [index, value] of numbers.entries()) {
    checked[index] = typeof value === "number" ? value : Number.NaN;
    if (!fits(checked[index] as number)) {
      throw new ArgumentError(operation, `${argument}[${index}]`, expected, describe(value));
    }
  }
  return checked;
}

function checkWeights(operation: string, weights: ScoreOptions["weights"]): WeightsKind {
  if (weights === undefined || weights === false) return WeightsKind.none;
  if (weights === true) return WeightsKind.perHead;
  if (weights === "mean") return WeightsKind.mean;
  throw new ArgumentError(operation, "weights", 'a boolean or "mean"', describe(weights));
}
