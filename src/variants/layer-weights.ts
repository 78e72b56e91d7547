// The weights of the layers with additive scores, v·tanh(W·q + U·k + b): projections packed once, vectors copied.

import type { Attention } from "../attend/attention";
import { checkAttention } from "../attend/attention";
import { type Names, reader } from "../check/names";
import { ArgumentError, DisposedError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { readProjection, readUpdate } from "../layer/options";
import type { Projection } from "../layer/projections";
import { prepareMatrix } from "../linear/linear";
import { PreparedLinear } from "../linear/prepared";
import type { Packing } from "../linear/product";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { checkVector, type Tensor } from "../tensor/tensor";

/** Weights of additive scores, v·tanh(W·q + U·k + b). */
export interface AdditiveWeights {
  /** W, [Eq] → [D]. */
  readonly query: Projection | PreparedLinear;
  /** U, [Ek] → [D]. */
  readonly key: Projection | PreparedLinear;
  /** v, [D]. */
  readonly scoreWeight: Float32Array | Tensor;
  /** b, [D]; 0 by default. */
  readonly scoreBias?: Float32Array | Tensor | undefined;
  /** g of the normalised form, whose v is g·v/‖v‖; without it v is as it was given. */
  readonly scoreScale?: number | undefined;
}

/** New numbers of a projection. */
export interface ProjectionUpdate {
  /** [out, in] or [in, out], in the order it was prepared in. */
  readonly weight: Tensor;
  /** [out] */
  readonly bias?: Float32Array | Tensor | undefined;
}

/** Other weights of the same sizes: what is left out stays as it is. */
export interface AdditiveUpdate {
  /** W, and its bias where there is one. */
  readonly query?: ProjectionUpdate;
  /** U, likewise. */
  readonly key?: ProjectionUpdate;
  /** v, [D]. */
  readonly scoreWeight?: Float32Array | Tensor | undefined;
  /** b, [D], where there is one. */
  readonly scoreBias?: Float32Array | Tensor | undefined;
  /** g, where there is one. */
  readonly scoreScale?: number | undefined;
}

export const weightFields: Names<AdditiveWeights> = {
  query: 1,
  key: 1,
  scoreWeight: 1,
  scoreBias: 1,
  scoreScale: 1,
};
const readUpdates = reader<AdditiveUpdate>(weightFields);

/** What scores are computed with. */
interface Vectors {
  /** v as it was given. */
  readonly given: Float32Array;
  readonly scoreBias: Float32Array | undefined;
  readonly scoreScale: number | undefined;
  /** v as scores take it. */
  readonly scoreWeight: Float32Array;
}

/** Prepared weights; a layer has one, and what it lets go of. */
export class AdditiveParts {
  readonly attention: Attention<"variants">;
  /** D. */
  readonly size: number;
  #projections: { readonly query: PreparedLinear; readonly key: PreparedLinear } | undefined;
  #vectors: Vectors;
  /** Those that were prepared here. */
  #own: PreparedLinear[] = [];

  /** `weights` as they were read. */
  constructor(operation: string, attention: Attention<"variants">, weights: AdditiveWeights) {
    const engine = checkAttention(operation, attention).running(operation);
    this.attention = attention;
    try {
      const query = this.#prepared(engine, operation, "query", weights.query);
      const key = this.#prepared(engine, operation, "key", weights.key);
      this.size = query.outputSize;
      if (key.outputSize !== this.size) {
        const expected = `[Ek] → [${this.size}], as the query's`;
        throw new ArgumentError(operation, "key.weight.dims", expected, describe(key.weightDims));
      }
      this.#vectors = vectorsOf(operation, this.size, weights);
      this.#projections = { query, key };
    } catch (error) {
      for (const projection of this.#own) projection.dispose();
      throw error;
    }
  }

  #prepared(engine: Engine, operation: string, name: "query" | "key", given: unknown) {
    const ready = PreparedLinear.from(given);
    if (ready) {
      ready.block(engine, operation, name);
      return ready;
    }
    const projection = readProjection(operation, given, name);
    const made = prepareMatrix(engine, operation, projection.weight, projection, `${name}.`);
    this.#own.push(made);
    return made;
  }

  /** @throws DisposedError after `dispose`. */
  inUse(operation: string): { readonly query: PreparedLinear; readonly key: PreparedLinear } {
    if (this.#projections) return this.#projections;
    throw new DisposedError(operation, "layer", "a layer in use", "a disposed one");
  }

  get vectors(): Vectors {
    return this.#vectors;
  }

  /** v and b, for an additive call. */
  get scores(): { scoreWeight: Float32Array; scoreBias: Float32Array | undefined } {
    const { scoreWeight, scoreBias } = this.#vectors;
    return { scoreWeight, scoreBias };
  }

  /** Dims of the projected x, once it is known to fit. */
  projectedDims(operation: string, name: "query" | "key", { dims }: Tensor): number[] {
    const { inputSize } = this.inUse(operation)[name];
    if (dims.at(-1) === inputSize) return [...dims.slice(0, -1), this.size];
    const expected = `[…, in] with in = ${inputSize}`;
    throw new ArgumentError(operation, `${name}.dims`, expected, describe(dims));
  }

  /** W·q or U·k in linear memory, to be disposed by the caller. */
  *project(
    engine: Engine,
    operation: string,
    name: "query" | "key",
    x: Tensor,
  ): Steps<AllocatedTensor> {
    const projection = this.inUse(operation)[name];
    const target = new AllocatedTensor(engine.arena, this.projectedDims(operation, name, x));
    try {
      yield* projection.apply(engine, operation, x, { out: target }, name);
      return target;
    } catch (error) {
      target.dispose();
      throw error;
    }
  }

  update(operation: string, weights: AdditiveUpdate): void {
    const projections = this.inUse(operation);
    const { query, key, ...vectors } = readUpdates(operation, weights, "weights");
    const before = this.#vectors;
    for (const name of ["scoreBias", "scoreScale"] as const) {
      if (vectors[name] === undefined || before[name] !== undefined) continue;
      const expected = "no value for a layer without one";
      throw new ArgumentError(operation, name, expected, describe(vectors[name]));
    }
    const changed = vectorsOf(operation, this.size, {
      scoreWeight: vectors.scoreWeight ?? before.given,
      scoreBias: vectors.scoreBias ?? before.scoreBias,
      scoreScale: vectors.scoreScale ?? before.scoreScale,
    });
    const packings: Packing[] = [];
    for (const [name, given] of Object.entries({ query, key })) {
      if (given === undefined) continue;
      const { weight, bias, order } = readUpdate(operation, given, name);
      const of = projections[name as "query" | "key"];
      packings.push(of.updating(operation, `${name}.`, weight, bias, order));
    }
    // The one that needs the most memory comes first: where it finds it, so does the other.
    packings.sort((a, b) => b.bytes - a.bytes);
    for (const packing of packings) packing.pack();
    this.#vectors = changed;
  }

  /** Sizes; nothing but that it is gone after `dispose`. */
  toJSON(): object {
    const projections = this.#projections;
    if (!projections) return { disposed: true };
    const { query, key } = projections;
    return { size: this.size, query: query.toJSON(), key: key.toJSON() };
  }

  dispose(): void {
    if (!this.#projections) return;
    for (const projection of this.#own) projection.dispose();
    this.#projections = undefined;
  }
}

function vectorsOf(
  operation: string,
  size: number,
  { scoreWeight, scoreBias, scoreScale }: Omit<AdditiveWeights, "query" | "key">,
): Vectors {
  const copied = (name: string, given: unknown) =>
    checkVector(operation, name, given, size).data.slice();
  const given = copied("scoreWeight", scoreWeight);
  const bias = scoreBias === undefined ? undefined : copied("scoreBias", scoreBias);
  if (scoreScale === undefined) {
    return { given, scoreBias: bias, scoreScale, scoreWeight: given };
  }
  if (!Number.isFinite(scoreScale))
    throw new ArgumentError(operation, "scoreScale", "a finite number", describe(scoreScale));
  const norm = normOf(given);
  if (!(norm > 0)) {
    const expected = "numbers that are not all 0, for g·v/‖v‖";
    throw new ArgumentError(operation, "scoreWeight", expected, `a norm of ${norm}`);
  }
  const normalised = given.map((v) => (scoreScale * v) / norm);
  return { given, scoreBias: bias, scoreScale, scoreWeight: normalised };
}

/** ‖v‖, in float64. */
export function normOf(v: Float32Array): number {
  return Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
}
