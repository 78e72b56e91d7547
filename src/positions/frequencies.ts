// Frequencies of rotary pairs and the scalings that stretch a model's context, as in
// transformers' modeling_rope_utils: freq_i = base^(−2i/D).

import { type Attention, checkAttention } from "../attend/attention";
import { type Reader, reader } from "../check/names";
import { checkBoolean, checkCount } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { positionsOf, type Transcendentals } from "./module";

/** Names and defaults are those of a model's `rope_scaling`, in camel case. */
export type RopeScaling =
  /** Frequencies over `factor` (Chen et al. 2023, "Position interpolation"). */
  | {
      /** `"linear"` */
      readonly type: "linear";
      /** How many times longer the context becomes. */
      readonly factor: number;
    }
  /** The base grows with the `length` of the sequence once it passes the original one (NTK). */
  | {
      /** `"dynamic"` */
      readonly type: "dynamic";
      /** How many times longer the context becomes. */
      readonly factor: number;
      /** The context that the model was trained on, in positions. */
      readonly originalMaxPositionEmbeddings: number;
      /** Positions of this sequence. */
      readonly length: number;
    }
  /** High frequencies as they are, low ones over `factor` (Peng et al. 2023, "YaRN"). */
  | {
      /** `"yarn"` */
      readonly type: "yarn";
      /** How many times longer the context becomes. */
      readonly factor: number;
      /** The context that the model was trained on, in positions. */
      readonly originalMaxPositionEmbeddings: number;
      /** Turns within the original length above which a frequency stays as it is; 32 by default. */
      readonly betaFast?: number | undefined;
      /** Turns below which it is divided by `factor`; 1 by default. */
      readonly betaSlow?: number | undefined;
      /** On cosines and sines; 0.1 · ln factor + 1 by default. */
      readonly attentionFactor?: number | undefined;
      /** DeepSeek's: the quotient of 0.1 · mscale · ln factor + 1 and the same of mscaleAllDim. */
      readonly mscale?: number | undefined;
      /** See `mscale`; one without the other does not count. */
      readonly mscaleAllDim?: number | undefined;
      /** Whether the range between is widened to whole pairs; true by default. */
      readonly truncate?: boolean | undefined;
    }
  /** Wavelengths interpolated between two bounds (Llama 3.1). */
  | {
      /** `"llama3"` */
      readonly type: "llama3";
      /** How many times longer the context becomes. */
      readonly factor: number;
      /** The context that the model was trained on, in positions. */
      readonly originalMaxPositionEmbeddings: number;
      /** Turns within the original length below which a frequency is divided by `factor`. */
      readonly lowFreqFactor: number;
      /** Turns above which it stays as it is. */
      readonly highFreqFactor: number;
    };

/** Options of `ropeFrequencies`. */
export interface FrequencyOptions {
  /** Dimensions that are rotated, even. */
  dimensions: number;
  /** 10000 by default; `rope_theta` of a model. */
  base?: number | undefined;
  /** How a model's context is stretched; none by default. */
  scaling?: RopeScaling | undefined;
}

/** Both go into the options of `rotate` as they are. */
export interface RopeFrequencies {
  /** Radians a position, one for each pair. */
  readonly frequencies: Float32Array;
  /** Factor on cosines and sines. */
  readonly attentionFactor: number;
}

const NAME = "ropeFrequencies";

const read = reader<FrequencyOptions>({ dimensions: 1, base: 1, scaling: 1 });

/**
 * Frequencies of rotary pairs, base^(−2i/D), with the scalings that stretch a model's context.
 *
 * @throws ArgumentError for a size, base or factor out of range.
 */
export function ropeFrequencies(
  attention: Attention<"positions">,
  options: FrequencyOptions,
): RopeFrequencies {
  const kernels = positionsOf(checkAttention(NAME, attention).running(NAME), NAME);
  const { dimensions, base = 10000, scaling: given } = read(NAME, options);
  checkCount(NAME, "dimensions", dimensions);
  if (dimensions % 2)
    throw new ArgumentError(NAME, "dimensions", "an even number", `${dimensions}`);
  checkBase(NAME, base);
  if (given === undefined) {
    return {
      frequencies: Float32Array.from(powers(kernels, base, dimensions)),
      attentionFactor: 1,
    };
  }
  const scaling = checkScaling(given);
  const { frequencies, attentionFactor } = scaled(kernels, dimensions, base, scaling);
  return { frequencies: Float32Array.from(frequencies), attentionFactor };
}

export function checkBase(operation: string, base: unknown): void {
  if (typeof base !== "number" || !(base > 1 && Number.isFinite(Math.fround(base)))) {
    throw new ArgumentError(operation, "base", "a finite float32 above 1", describe(base));
  }
}

/** base^(−2i/size) for i from 0 to ⌈size/2⌉, in float64. */
export function powers(
  { exponential, logarithm }: Transcendentals,
  base: number,
  size: number,
): number[] {
  const step = (-2 * logarithm(base)) / size;
  return Array.from({ length: Math.ceil(size / 2) }, (_, i) => exponential(step * i));
}

function scaled(
  kernels: Transcendentals,
  dimensions: number,
  base: number,
  scaling: RopeScaling,
): { frequencies: number[]; attentionFactor: number } {
  const { factor } = scaling;
  const plain = powers(kernels, base, dimensions);
  switch (scaling.type) {
    case "linear":
      return { frequencies: plain.map((frequency) => frequency / factor), attentionFactor: 1 };
    case "dynamic": {
      const { originalMaxPositionEmbeddings: original, length } = scaling;
      const stretch = (factor * Math.max(length, original)) / original - (factor - 1);
      // (base · stretch^(D/(D − 2)))^(−2i/D) = base^(−2i/D) · stretch^(−2i/(D − 2))
      const step = (-2 * kernels.logarithm(stretch)) / (dimensions - 2);
      const frequencies = plain.map((frequency, i) =>
        i === 0 ? frequency : frequency * kernels.exponential(step * i),
      );
      return { frequencies, attentionFactor: 1 };
    }
    case "yarn":
      return yarn(kernels, dimensions, base, plain, scaling);
    case "llama3": {
      const { originalMaxPositionEmbeddings: original, lowFreqFactor, highFreqFactor } = scaling;
      const frequencies = plain.map((frequency) => {
        const turns = (original * frequency) / (2 * Math.PI);
        const unscaled = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
        return mix(frequency, factor, Math.min(Math.max(unscaled, 0), 1));
      });
      return { frequencies, attentionFactor: 1 };
    }
  }
}

function yarn(
  { logarithm }: Transcendentals,
  dimensions: number,
  base: number,
  plain: number[],
  scaling: RopeScaling & { type: "yarn" },
): { frequencies: number[]; attentionFactor: number } {
  const { factor, originalMaxPositionEmbeddings: original } = scaling;
  const { betaFast = 32, betaSlow = 1, truncate = true, mscale, mscaleAllDim } = scaling;
  // The pair that makes so many turns within the original length.
  const pairOf = (turns: number) =>
    (dimensions * logarithm(original / (turns * 2 * Math.PI))) / (2 * logarithm(base));
  const low = Math.max(truncate ? Math.floor(pairOf(betaFast)) : pairOf(betaFast), 0);
  const high = Math.min(truncate ? Math.ceil(pairOf(betaSlow)) : pairOf(betaSlow), dimensions - 1);
  const magnitude = (m: number) => (factor > 1 ? 0.1 * m * logarithm(factor) + 1 : 1);
  const range = high === low ? 0.001 : high - low;
  return {
    frequencies: plain.map((frequency, i) =>
      mix(frequency, factor, 1 - Math.min(Math.max((i - low) / range, 0), 1)),
    ),
    attentionFactor:
      scaling.attentionFactor ??
      (mscale && mscaleAllDim ? magnitude(mscale) / magnitude(mscaleAllDim) : magnitude(1)),
  };
}

/** The share `unscaled` of a frequency as it was, the rest over `factor`. */
function mix(frequency: number, factor: number, unscaled: number): number {
  return frequency * unscaled + (frequency / factor) * (1 - unscaled);
}

/** The numbers each scaling needs, and those it may have. */
const SCALINGS: Record<RopeScaling["type"], { needs: string[]; may: string[] }> = {
  linear: { needs: ["factor"], may: [] },
  dynamic: { needs: ["factor", "originalMaxPositionEmbeddings", "length"], may: [] },
  yarn: {
    needs: ["factor", "originalMaxPositionEmbeddings"],
    may: ["betaFast", "betaSlow", "attentionFactor", "mscale", "mscaleAllDim"],
  },
  llama3: {
    needs: ["factor", "originalMaxPositionEmbeddings", "lowFreqFactor", "highFreqFactor"],
    may: [],
  },
};

/** A reader of what one type of scaling has. */
function scalingReader(type: RopeScaling["type"]): Reader<Record<string, unknown>> {
  const { needs, may } = SCALINGS[type];
  const names = ["type", ...needs, ...may, ...(type === "yarn" ? ["truncate"] : [])];
  return reader(Object.fromEntries(names.map((name) => [name, 1 as const])));
}

/** A copy. */
function checkScaling(given: RopeScaling): RopeScaling {
  const type: unknown = given?.type;
  if (typeof type !== "string" || !Object.hasOwn(SCALINGS, type)) {
    const expected = '"linear", "dynamic", "yarn" or "llama3"';
    throw new ArgumentError(NAME, "scaling.type", expected, describe(type));
  }
  const kind = type as RopeScaling["type"];
  const numbers = { ...scalingReader(kind)(NAME, given, "scaling"), type: kind };
  const scaling = numbers as RopeScaling;
  const { needs, may } = SCALINGS[kind];
  for (const name of [...needs, ...may]) {
    const value: unknown = scaling[name as keyof RopeScaling];
    if (value === undefined && may.includes(name)) continue;
    const single = typeof value === "number" ? Math.fround(value) : Number.NaN;
    if (!(single > 0 && single < Infinity)) {
      const expected = "a finite float32 above 0";
      throw new ArgumentError(NAME, `scaling.${name}`, expected, describe(value));
    }
  }
  if (scaling.type === "yarn") checkBoolean(NAME, "scaling.truncate", scaling.truncate);
  if (scaling.type === "llama3" && !(scaling.highFreqFactor > scaling.lowFreqFactor)) {
    throw new ArgumentError(
      NAME,
      "scaling.highFreqFactor",
      `more than lowFreqFactor = ${scaling.lowFreqFactor}`,
      describe(scaling.highFreqFactor),
    );
  }
  return scaling;
}
