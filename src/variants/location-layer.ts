// LocationSensitiveAttention: a decoder's attention with its projections, a step at a time.

import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { lasting } from "../run/lasting";
import type { Steps } from "../run/steps";
import type { AllocatedTensor } from "../tensor/allocated";
import { bindMethods } from "../tensor/binding";
import { elementsOf } from "../tensor/dims";
import { disposeSymbol } from "../tensor/disposal";
import { inspected, inspectSymbol } from "../tensor/printing";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { AdditiveParts, type AdditiveWeights, weightFields } from "./layer-weights";
import {
  checkStep,
  type LocationOptions,
  type LocationResult,
  lastingWhole,
  locationFields,
  locationSteps,
} from "./location";

/** Weights of `LocationSensitiveAttention`. */
export interface LocationWeights extends AdditiveWeights {
  /** F, of the convolution over the weights before and their sum [filters, 2, K]; same padding. */
  readonly filters: Tensor;
  /** From its filters to D, [filters, D]. */
  readonly locationWeight: Tensor;
}

/** Those of Tacotron 2 by their names in its state dict, behind "decoder.attention_layer.". */
export interface Tacotron2Weights {
  /** [128, 1024] */
  readonly "query_layer.linear_layer.weight": Tensor;
  /** [128, 512] */
  readonly "memory_layer.linear_layer.weight": Tensor;
  /** [1, 128] */
  readonly "v.linear_layer.weight": Tensor;
  /** [32, 2, 31] */
  readonly "location_layer.location_conv.conv.weight": Tensor;
  /** [128, 32] */
  readonly "location_layer.location_dense.linear_layer.weight": Tensor;
}

/** What all steps look at: made once by `memory`. */
export interface LocationMemory {
  /** U·memory, [B, S, D]. */
  readonly key: Tensor;
  /** [B, S, Dv] */
  readonly value: Tensor;
}

/** What a layer's steps and their gradients are made with. */
export interface LocationParts {
  readonly parts: AdditiveParts;
  readonly location: Pick<LocationWeights, "filters" | "locationWeight">;
}

/** Options of a step. */
export type LocationStepOptions = Pick<LocationOptions, "state" | "keyLengths" | "alpha">;

const {
  filters: _,
  locationWeight: __,
  scoreWeight: ___,
  scoreBias: ____,
  ...fields
} = locationFields;
export const stepFields = fields;
const read = reader<LocationStepOptions>(fields);
const readAsync = reader<LocationStepOptions & Abortable>({ ...fields, signal: 1 });
const readSignal = reader<Abortable>({ signal: 1 });
const readWeights = reader<LocationWeights>({ ...weightFields, filters: 1, locationWeight: 1 });
export const readMemory = reader<LocationMemory>(
  { key: 1, value: 1 },
  "what memory() gave, { key, value }",
);
const readTacotron2 = reader<Tacotron2Weights>({
  "query_layer.linear_layer.weight": 1,
  "memory_layer.linear_layer.weight": 1,
  "v.linear_layer.weight": 1,
  "location_layer.location_conv.conv.weight": 1,
  "location_layer.location_dense.linear_layer.weight": 1,
});

const NAME = "LocationSensitiveAttention";

/**
 * Location-sensitive attention (Chorowski et al. 2015; Tacotron 2): softmax over the keys of
 * v·tanh(W·query + U·key + L·f + b), f = F ∗ (the weights before, their sum), times the values, which are not
 * projected. `memory` projects the keys once, `step` attends once for each step of a decoder and gives the state of
 * the next. Gradients: `locationLayerBackward` of a step, `locationMemoryBackward` of the memory.
 */
export class LocationSensitiveAttention {
  /** @internal */
  static readonly name = NAME;
  #parts: AdditiveParts;
  #location: Pick<LocationWeights, "filters" | "locationWeight">;

  /**
   * @throws ArgumentError if sizes do not fit each other; MemoryError, DisposedError as `prepareLinear`.
   */
  constructor(attention: Attention<"variants">, weights: LocationWeights);
  /** @internal `operation` is what the caller called. */
  constructor(attention: Attention<"variants">, weights: LocationWeights, operation?: string);
  constructor(attention: Attention<"variants">, weights: LocationWeights, operation = NAME) {
    checkAttention(operation, attention);
    const { filters, locationWeight, ...additive } = readWeights(operation, weights, "weights");
    const copied = (name: string, given: unknown, dims: readonly (number | string)[]): Tensor => {
      const { data, dims: got } = checkTensor(operation, name, given);
      const fits = (size: number | string, axis: number) =>
        typeof size === "string" ? (got[axis] as number) > 0 : size === got[axis];
      if (got.length === dims.length && dims.every(fits)) return { data: data.slice(), dims: got };
      const expected = `[${dims.join(", ")}]`;
      throw new ArgumentError(operation, `${name}.dims`, expected, describe(got));
    };
    const convolution = copied("filters", filters, ["filters", 2, "K"]);
    const [count] = convolution.dims as [number];
    this.#parts = new AdditiveParts(operation, attention, additive);
    try {
      const dims = [count, this.#parts.size];
      const weight = copied("locationWeight", locationWeight, dims);
      this.#location = { filters: convolution, locationWeight: weight };
    } catch (error) {
      this.#parts.dispose();
      throw error;
    }
    bindMethods(this, LocationSensitiveAttention.prototype);
  }

  /** From the tensors of NVIDIA's Tacotron 2: D = 128, 32 filters of 31, in its checkpoints; other sizes fit too. */
  static fromTacotron2(
    attention: Attention<"variants">,
    weights: Tacotron2Weights,
  ): LocationSensitiveAttention {
    const name = "fromTacotron2";
    const given = readTacotron2(name, weights, "weights");
    const matrix = (of: keyof Tacotron2Weights) => {
      const tensor = checkTensor(name, of, given[of]);
      if (tensor.dims.length === 2) return tensor;
      throw new ArgumentError(name, `${of}.dims`, "[out, in]", describe(tensor.dims));
    };
    const dense = matrix("location_layer.location_dense.linear_layer.weight");
    const [size, count] = dense.dims as [number, number];
    const transposed = Float32Array.from(
      dense.data,
      (_, i) => dense.data[(i % size) * count + Math.floor(i / size)] as number,
    );
    const whole: LocationWeights = {
      query: { weight: matrix("query_layer.linear_layer.weight"), order: "out,in" },
      key: { weight: matrix("memory_layer.linear_layer.weight"), order: "out,in" },
      scoreWeight: matrix("v.linear_layer.weight").data,
      filters: given["location_layer.location_conv.conv.weight"],
      locationWeight: { data: transposed, dims: [count, size] },
    };
    return new LocationSensitiveAttention(attention, whole, name);
  }

  /** @internal */
  static partsOf(operation: string, value: unknown): LocationParts {
    if (typeof value === "object" && value !== null && #parts in value)
      return { parts: value.#parts, location: value.#location };
    throw new ArgumentError(operation, "layer", `a ${NAME}`, describe(value));
  }

  /** D, over which scores are summed. */
  get size(): number {
    return this.#parts.size;
  }

  /**
   * The keys [B, S, Ek] of a sequence, projected for all steps, and the values [B, S, Dv], the keys by default.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `linear`.
   */
  memory(key: Tensor, value: Tensor = key): LocationMemory {
    const name = "memory";
    return this.#parts.attention.run(name, (engine) =>
      this.#memory(engine, name, checkTensor(name, "key", key), checkTensor(name, "value", value)),
    );
  }

  /** `memory` without holding the calling thread; see `attendAsync`. */
  memoryAsync(key: Tensor, value: Tensor = key, options: Abortable = {}): Promise<LocationMemory> {
    const name = "memoryAsync";
    return this.#parts.attention.runAsync(name, () => {
      const { signal } = readSignal(name, options);
      const [keys, values] = [checkTensor(name, "key", key), checkTensor(name, "value", value)];
      return { signal, steps: (engine) => this.#memory(engine, name, keys, values) };
    });
  }

  *#memory(engine: Engine, operation: string, key: Tensor, value: Tensor): Steps<LocationMemory> {
    checkMemoryDims(operation, key, value);
    const projection = this.#parts.inUse(operation).key;
    return { key: yield* projection.apply(engine, operation, key, {}, "key"), value };
  }

  /**
   * One step: query [B, Eq] → output [B, Dv], weights [B, S], and the state for the next.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `locationSensitiveAttention`.
   */
  step(query: Tensor, memory: LocationMemory, options: LocationStepOptions = {}): LocationResult {
    const name = "step";
    return this.#parts.attention.run(name, (engine) =>
      this.#step(engine, name, this.#check(name, query, memory, read(name, options))),
    );
  }

  /** `step` without holding the calling thread; see `attendAsync`. */
  stepAsync(
    query: Tensor,
    memory: LocationMemory,
    options: LocationStepOptions & Abortable = {},
  ): Promise<LocationResult> {
    const name = "stepAsync";
    return this.#parts.attention.runAsync(name, () => {
      const { signal, ...given } = readAsync(name, options);
      const call = this.#check(name, query, memory, given);
      return { signal, steps: (engine) => this.#step(engine, name, call) };
    });
  }

  #check(operation: string, query: Tensor, memory: LocationMemory, given: LocationStepOptions) {
    const x = checkTensor(operation, "query", query);
    const { key, value } = readMemory(operation, memory, "memory");
    const sized = sizedQuery(operation, this.#parts, x);
    const options = { ...given, ...this.#parts.scores, ...this.#location };
    return { x, step: checkStep(operation, [sized, key, value], options) };
  }

  *#step(
    engine: Engine,
    operation: string,
    { x, step }: { readonly x: Tensor; readonly step: ReturnType<typeof checkStep> },
  ): Steps<LocationResult> {
    const given = lasting(engine, x);
    const held = lastingWhole(engine, step);
    const projected = yield* this.#parts.project(engine, operation, "query", given);
    try {
      return yield* locationSteps(engine, { ...held, query: rowsOf(projected) });
    } finally {
      projected.dispose();
    }
  }

  /** Sizes; the weights are packed for the kernels. */
  toJSON(): object {
    const { filters } = this.#location;
    return { ...this.#parts.toJSON(), filters: filters.dims };
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    return inspected(NAME, this.toJSON(), options, inspect);
  }

  /** Gives the prepared weights back; a second call does nothing. */
  dispose(): void {
    this.#parts.dispose();
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }
}

/** In place of a query that is not projected yet, of which only the size is known. */
export function sizedQuery(operation: string, parts: AdditiveParts, x: Tensor): Tensor {
  const dims = parts.projectedDims(operation, "query", x);
  return { data: new Float32Array(elementsOf(dims)), dims };
}

/** [B, D] as a step takes it, [B, 1, D]. */
export function rowsOf(projected: AllocatedTensor): AllocatedTensor {
  const [batch, size] = projected.dims as [number, number];
  return projected.view(0, [batch, 1, size]);
}

export function checkMemoryDims(operation: string, key: Tensor, value: Tensor): void {
  const fits = key.dims.length === 3 && value.dims.length === 3;
  if (fits && key.dims[0] === value.dims[0] && key.dims[1] === value.dims[1]) return;
  const expected = "[B, S, Ek] and [B, S, Dv]";
  const got = `${describe(key.dims)} and ${describe(value.dims)}`;
  throw new ArgumentError(operation, "key.dims and value.dims", expected, got);
}
