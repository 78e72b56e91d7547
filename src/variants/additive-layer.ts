// AdditiveAttention: Bahdanau's attention with its projections, v·tanh(W·q + U·k + b), normalised or not.

import { type Attention, checkAttention } from "../attend/attention";
import { callAttend } from "../attend/forward";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { lastingOf } from "../run/lasting";
import type { Steps } from "../run/steps";
import type { AllocatedTensor } from "../tensor/allocated";
import { bindMethods } from "../tensor/binding";
import { disposeSymbol } from "../tensor/disposal";
import { inspected, inspectSymbol } from "../tensor/printing";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { type AdditiveOptions, additiveFields, checkAdditiveCallOf } from "./additive";
import {
  AdditiveParts,
  type AdditiveUpdate,
  type AdditiveWeights,
  weightFields,
} from "./layer-weights";
import { type AttendResult, attendCallOf, type Exactly } from "./strip";

/** Inputs of a layer with additive scores, of one head, all with B or all without. */
export interface AdditiveInputs {
  /** [B, L, Eq] */
  readonly query: Tensor;
  /** [B, S, Ek] */
  readonly key: Tensor;
  /** [B, S, Dv]; the key by default. */
  readonly value?: Tensor | undefined;
}

/** Options of `AdditiveAttention`'s `forward`: those of `additiveAttention` but its layout and its weights. */
export type AdditiveLayerOptions = Omit<
  AdditiveOptions,
  "layout" | "heads" | "keyValueHeads" | "scoreWeight" | "scoreBias"
>;

const {
  layout: _,
  heads: __,
  keyValueHeads: ___,
  scoreWeight: ____,
  scoreBias: _____,
  ...fields
} = additiveFields;
export const layerFields = fields;
const read = reader<AdditiveLayerOptions>(fields, "options; the inputs go first: { query, key }");
const readAsync = reader<AdditiveLayerOptions & Abortable>({ ...fields, signal: 1 });
const readWeights = reader<AdditiveWeights>(weightFields);
const readInputs = reader<AdditiveInputs>({ query: 1, key: 1, value: 1 }, "{ query, key, value? }");

const NAME = "AdditiveAttention";

/**
 * Bahdanau et al. 2015: softmax over the keys of v·tanh(W·query + U·key + b), times the values, which are not
 * projected. With `scoreScale` the normalised form, whose v is g·v/‖v‖ (Salimans & Kingma 2016). A long memory for
 * single steps is better projected once: see `additiveAttention`. Gradients: `additiveLayerBackward`.
 */
export class AdditiveAttention {
  /** @internal */
  static readonly name = NAME;
  #parts: AdditiveParts;

  /**
   * Weights that are prepared already stay their maker's to dispose.
   *
   * @throws ArgumentError if sizes do not fit each other; MemoryError, DisposedError as `prepareLinear`.
   */
  constructor(attention: Attention<"variants">, weights: AdditiveWeights) {
    checkAttention(NAME, attention);
    this.#parts = new AdditiveParts(NAME, attention, readWeights(NAME, weights, "weights"));
    bindMethods(this, AdditiveAttention.prototype);
  }

  /** D, over which scores are summed. */
  get size(): number {
    return this.#parts.size;
  }

  /** @internal */
  static partsOf(operation: string, value: unknown): AdditiveParts {
    if (typeof value === "object" && value !== null && #parts in value) return value.#parts;
    throw new ArgumentError(operation, "layer", "an AdditiveAttention", describe(value));
  }

  /**
   * → output [B, L, Dv], and what was asked for beside it: weights [B, 1, L, S], scores, logSumExp.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  forward<const Options extends AdditiveLayerOptions = Record<never, never>>(
    inputs: AdditiveInputs,
    options?: Exactly<Options, AdditiveLayerOptions>,
  ): AttendResult<Options> {
    const name = "forward";
    return this.#parts.attention.run(name, (engine) => {
      const given = read(name, options === undefined ? {} : options);
      return steps(engine, checkLayerCall(name, this.#parts, inputs, given));
    }) as AttendResult<Options>;
  }

  /** `forward` without holding the calling thread; see `attendAsync`. */
  forwardAsync<const Options extends AdditiveLayerOptions & Abortable = Record<never, never>>(
    inputs: AdditiveInputs,
    options?: Exactly<Options, AdditiveLayerOptions & Abortable>,
  ): Promise<AttendResult<Options>> {
    const name = "forwardAsync";
    return this.#parts.attention.runAsync(name, () => {
      const { signal, ...given } = readAsync(name, options === undefined ? {} : options);
      const call = checkLayerCall(name, this.#parts, inputs, given);
      return { signal, steps: (engine) => steps(engine, call) };
    }) as Promise<AttendResult<Options>>;
  }

  /**
   * Puts other weights of the same sizes in place.
   *
   * @throws ArgumentError, MemoryError, DisposedError as the constructor; nothing is changed then.
   */
  update(weights: AdditiveUpdate): void {
    this.#parts.update("update", weights);
  }

  /** Sizes; the weights are packed for the kernels. */
  toJSON(): object {
    return this.#parts.toJSON();
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

export type AdditiveLayerCall = ReturnType<typeof checkLayerCall>;

/** `options` as they were read. */
export function checkLayerCall(
  operation: string,
  parts: AdditiveParts,
  inputs: AdditiveInputs,
  options: AdditiveLayerOptions,
) {
  return layerCallOf(operation, parts, checkAdditiveInputs(operation, parts, inputs), options);
}

type Given = ReturnType<typeof checkAdditiveInputs>;

/** The same with inputs that are checked. */
export function layerCallOf(
  operation: string,
  parts: AdditiveParts,
  given: Given,
  options: AdditiveLayerOptions,
) {
  // The projections are not made yet, only their sizes are known.
  const sized = (name: "query" | "key") => ({
    data: new Float32Array(0),
    dims: parts.projectedDims(operation, name, given[name]),
  });
  const projected = { query: sized("query"), key: sized("key"), value: given.value };
  const whole = { ...options, ...parts.scores, layout: "BLE", heads: 1 } as const;
  const strip = checkAdditiveCallOf(operation, projected, "BLE", whole);
  return { operation, parts, given, strip };
}

export function checkAdditiveInputs(
  operation: string,
  parts: AdditiveParts,
  inputs: AdditiveInputs,
): { query: Tensor; key: Tensor; value: Tensor; own: boolean } {
  parts.inUse(operation);
  const { query, key, value } = readInputs(operation, inputs, "inputs");
  const memory = checkTensor(operation, "key", key);
  return {
    query: checkTensor(operation, "query", query),
    key: memory,
    value: value === undefined ? memory : checkTensor(operation, "value", value),
    own: value !== undefined,
  };
}

function* steps(
  engine: Engine,
  { operation, parts, given: inputs, strip }: AdditiveLayerCall,
): Steps<AttendResult> {
  const given = lastingOf(engine, inputs, "query", "key", "value");
  const temporaries: AllocatedTensor[] = [];
  try {
    for (const name of ["query", "key"] as const)
      temporaries.push(yield* parts.project(engine, operation, name, given[name]));
    const [query, key] = temporaries as [AllocatedTensor, AllocatedTensor];
    const { value } = given;
    const call = { ...strip, call: { ...strip.call, inputs: { query, key, value } } };
    return yield* callAttend(engine, attendCallOf(engine, call));
  } finally {
    for (const temporary of temporaries) temporary.dispose();
  }
}
