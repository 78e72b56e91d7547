// MonotonicAttention: energies by Bahdanau's scores, the alignment that they make, and the output.

import { type Attention, checkAttention } from "../attend/attention";
import { callAttend } from "../attend/forward";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { lasting, lastingOf } from "../run/lasting";
import type { Steps } from "../run/steps";
import type { AllocatedTensor } from "../tensor/allocated";
import { bindMethods } from "../tensor/binding";
import { elementsOf } from "../tensor/dims";
import { disposeSymbol } from "../tensor/disposal";
import { inspected, inspectSymbol } from "../tensor/printing";
import type { Tensor } from "../tensor/tensor";
import {
  type AdditiveInputs,
  type AdditiveLayerOptions,
  checkAdditiveInputs,
  layerCallOf,
} from "./additive-layer";
import { AdditiveParts, type AdditiveWeights, weightFields } from "./layer-weights";
import { checkForward, type MonotonicForm, monotonicSteps } from "./monotonic";
import { attendCallOf } from "./strip";
import { checkSizes, weightedSumSteps } from "./weighted-sum";

/** Weights of `MonotonicAttention`. */
export interface MonotonicWeights extends AdditiveWeights {
  /** r, which is added to energies; 0 by default. Below 0 a step at first looks further than the first key. */
  readonly scoreOffset?: number | undefined;
}

/** Options of `MonotonicAttention`'s `forward`. */
export type MonotonicLayerOptions = Omit<MonotonicForm, "logits">;

/** What `forward` returns. */
export interface MonotonicResult {
  /** [B, L, Dv] */
  output: Tensor;
  /** [B, L, S]; its last row is `previous` of the next step. */
  alignment: Tensor;
  /** What p is the sigmoid of, [B, L, S]. */
  energies: Tensor;
}

const fields = { mode: 1, previous: 1, keyLengths: 1 } as const;
const read = reader<MonotonicLayerOptions>(fields, "options; the inputs go first: { query, key }");
const readAsync = reader<MonotonicLayerOptions & Abortable>({ ...fields, signal: 1 });
const readWeights = reader<MonotonicWeights>({ ...weightFields, scoreOffset: 1 });

const NAME = "MonotonicAttention";

/**
 * Monotonic attention (Raffel et al. 2017): energies v·tanh(W·query + U·key + b) + r, in the paper normalised with
 * `scoreScale`; p is their sigmoid, and the alignment goes on from key to key, see `monotonicAttention`. The paper's
 * noise in training is added to `energies` by who trains: `monotonicAttention` and `weightedSum` go on from there, and
 * `monotonicLayerBackward` goes back from what they made.
 */
export class MonotonicAttention {
  /** @internal */
  static readonly name = NAME;
  #parts: AdditiveParts;
  #offset: number;

  /**
   * @throws ArgumentError if sizes do not fit each other; MemoryError, DisposedError as `prepareLinear`.
   */
  constructor(attention: Attention<"variants">, weights: MonotonicWeights) {
    checkAttention(NAME, attention);
    const { scoreOffset = 0, ...additive } = readWeights(NAME, weights, "weights");
    if (!Number.isFinite(scoreOffset))
      throw new ArgumentError(NAME, "scoreOffset", "a finite number", describe(scoreOffset));
    this.#parts = new AdditiveParts(NAME, attention, additive);
    this.#offset = scoreOffset;
    bindMethods(this, MonotonicAttention.prototype);
  }

  /** @internal */
  static partsOf(operation: string, value: unknown): AdditiveParts {
    if (typeof value === "object" && value !== null && #parts in value) return value.#parts;
    throw new ArgumentError(operation, "layer", "a MonotonicAttention", describe(value));
  }

  /** D, over which energies are summed. */
  get size(): number {
    return this.#parts.size;
  }

  /**
   * All steps [B, L, Eq] over the keys [B, S, Ek], or one after another with `previous`.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `monotonicAttention`.
   */
  forward(inputs: AdditiveInputs, options: MonotonicLayerOptions = {}): MonotonicResult {
    const name = "forward";
    return this.#parts.attention.run(name, (engine) =>
      steps(engine, this.#check(name, inputs, read(name, options))),
    );
  }

  /** `forward` without holding the calling thread; see `attendAsync`. */
  forwardAsync(
    inputs: AdditiveInputs,
    options: MonotonicLayerOptions & Abortable = {},
  ): Promise<MonotonicResult> {
    const name = "forwardAsync";
    return this.#parts.attention.runAsync(name, () => {
      const { signal, ...given } = readAsync(name, options);
      const call = this.#check(name, inputs, given);
      return { signal, steps: (engine) => steps(engine, call) };
    });
  }

  #check(operation: string, inputs: AdditiveInputs, options: MonotonicLayerOptions) {
    return checkCall(operation, { parts: this.#parts, offset: this.#offset }, inputs, options);
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

type Call = ReturnType<typeof checkCall>;

/** `options` as they were read. */
function checkCall(
  operation: string,
  { parts, offset }: { readonly parts: AdditiveParts; readonly offset: number },
  inputs: AdditiveInputs,
  options: MonotonicLayerOptions,
) {
  const given = checkAdditiveInputs(operation, parts, inputs);
  const { strip, dims } = scoresCall(operation, parts, given, { scores: "raw" });
  // The energies are not there yet, only their size is known.
  const sized = { data: new Float32Array(elementsOf(dims)), dims };
  const aligned = checkForward(operation, sized, { ...options, logits: true });
  checkSizes(operation, sized, given.value);
  return { operation, parts, offset, given, strip, aligned };
}

/** Only scores matter here: of the values one column of zeros is as good as all. */
export function scoresCall(
  operation: string,
  parts: AdditiveParts,
  given: ReturnType<typeof checkAdditiveInputs>,
  options: AdditiveLayerOptions,
) {
  const column = [...given.key.dims.slice(0, -1), 1];
  const value = { data: new Float32Array(elementsOf(column)), dims: column };
  const { strip } = layerCallOf(operation, parts, { ...given, value }, options);
  const { batchDims, queries, keys } = strip.call.shapes;
  return { strip, value, dims: [...batchDims, queries, keys] };
}

function* steps(
  engine: Engine,
  { operation, parts, offset, given: inputs, strip, aligned }: Call,
): Steps<MonotonicResult> {
  const given = lastingOf(engine, inputs, "query", "key", "value");
  const value = lasting(engine, strip.call.inputs.value);
  const temporaries: AllocatedTensor[] = [];
  try {
    for (const name of ["query", "key"] as const)
      temporaries.push(yield* parts.project(engine, operation, name, given[name]));
    const [query, key] = temporaries as [AllocatedTensor, AllocatedTensor];
    const call = { ...strip, call: { ...strip.call, inputs: { query, key, value } } };
    const { scores } = yield* callAttend(engine, attendCallOf(engine, call));
    const { data } = scores as Tensor;
    for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) + offset;
    const energies = { data, dims: aligned.probabilities.dims };
    const alignment = yield* monotonicSteps(engine, { ...aligned, probabilities: energies });
    const sum = checkSizes(operation, alignment, given.value);
    return { output: yield* weightedSumSteps(engine, sum, undefined), alignment, energies };
  } finally {
    for (const temporary of temporaries) temporary.dispose();
  }
}
