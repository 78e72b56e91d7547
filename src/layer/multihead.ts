// The multi-head layer: projections around attend.
//
//   output = dense( attend( query·Wq, key·Wk, value·Wv ) )      heads side by side in a row
//
// (Vaswani et al. 2017, section 3.2.2.) Everything between the projections stays in linear
// memory.

import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable, Exactly } from "../attend/options";
import { ArgumentError, DisposedError, describe } from "../errors";
import { prepareMatrix } from "../linear/linear";
import { PreparedLinear } from "../linear/prepared";
import type { Packing } from "../linear/product";
import { bindMethods } from "../tensor/binding";
import { disposeSymbol } from "../tensor/disposal";
import { GONE, inspected, inspectSymbol } from "../tensor/printing";
import type { Tensor } from "../tensor/tensor";
import type { AppendedRows } from "./appended";
import { checkForward, forwardSteps, type LayerParts } from "./forward";
import {
  type LayerConfig,
  type LayerInputs,
  type LayerOptions,
  type LayerResult,
  PROJECTIONS,
  readConfig,
  readForward,
  readForwardAsync,
  readProjection,
  readUpdate,
  readUpdates,
  readWeights,
} from "./options";
import {
  type LayerProjections,
  type LayerWeights,
  type PlainWeights,
  projectionsOfMatrices,
} from "./projections";
import { checkHeadCounts, checkSizes, type LayerUpdate } from "./sizes";

const NAME = "MultiHeadAttention";

/**
 * Multi-head attention: projections of query, key and value, `attend`, and the output's projection.
 * Self-attention and cross-attention, grouped heads, own sizes of every input and of the output.
 */
export class MultiHeadAttention {
  /** @internal */
  static readonly name = "MultiHeadAttention";
  #heads: number;
  #keyValueHeads: number;
  #attention: Attention;
  /** Keys and values that every query sees besides the inputs' own. */
  #appended: AppendedRows | undefined;
  #projections: Record<keyof LayerWeights, PreparedLinear> | undefined;
  /** Those that it prepared itself. */
  #own: PreparedLinear[] = [];

  /**
   * Weights that are prepared already, by `prepareQuantized` for example, stay their maker's to dispose.
   *
   * @throws ArgumentError if sizes do not fit the heads or each other.
   * @throws MemoryError, DisposedError as `prepareLinear`; nothing stays allocated then.
   */
  constructor(attention: Attention, config: LayerConfig, weights: LayerProjections);
  /** @internal `operation` is what the caller called. */
  constructor(
    attention: Attention,
    config: LayerConfig,
    weights: LayerProjections,
    operation?: string,
  );
  constructor(
    attention: Attention,
    config: LayerConfig,
    weights: LayerProjections,
    operation: string = NAME,
  ) {
    const engine = checkAttention(operation, attention).running(operation);
    const read = readConfig(operation, config, "config");
    const { heads, keyValueHeads } = checkHeadCounts(operation, read);
    const given = readWeights(operation, weights, "weights");
    const { appended } = read;
    if (appended !== undefined && typeof appended?.rows !== "function") {
      throw new ArgumentError(operation, "appended", "what appendedKeys made", describe(appended));
    }
    this.#heads = heads;
    this.#keyValueHeads = keyValueHeads;
    this.#attention = attention;
    bindMethods(this, MultiHeadAttention.prototype);

    const prepared: Partial<Record<keyof LayerWeights, PreparedLinear>> = {};
    try {
      for (const name of PROJECTIONS) {
        const ready = PreparedLinear.from(given[name]);
        if (ready) {
          ready.block(engine, operation, name);
          prepared[name] = ready;
          continue;
        }
        const projection = readProjection(operation, given[name], name);
        const made = prepareMatrix(engine, operation, projection.weight, projection, `${name}.`);
        this.#own.push(made);
        prepared[name] = made;
      }
      const projections = prepared as Record<keyof LayerWeights, PreparedLinear>;
      checkSizes(operation, projections, heads, keyValueHeads);
      this.#appended = appended?.rows(
        operation,
        projections.key.outputSize,
        projections.value.outputSize,
      );
      this.#projections = projections;
    } catch (error) {
      for (const projection of this.#own) projection.dispose();
      throw error;
    }
  }

  /** Query heads H. */
  get heads(): number {
    return this.#heads;
  }

  /** Key and value heads Hkv, a divisor of `heads`. */
  get keyValueHeads(): number {
    return this.#keyValueHeads;
  }

  /** From four plain matrices of x·W: the layer every tutorial shows. */
  static fromMatrices(
    attention: Attention,
    weights: PlainWeights,
    config: LayerConfig,
  ): MultiHeadAttention {
    const name = "fromMatrices";
    checkAttention(name, attention);
    return new MultiHeadAttention(attention, config, projectionsOfMatrices(name, weights), name);
  }

  /**
   * Self-attention of x [B, L, E], or attention of { query [B, L, Eq], key [B, S, Ek], value [B, S, Ev] }
   * → output [B, L, E]; all without B too.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `attend`.
   */
  forward<const Options extends LayerOptions = Record<never, never>>(
    inputs: Tensor | LayerInputs,
    options?: Exactly<Options, LayerOptions>,
  ): LayerResult<Options> {
    const name = "forward";
    return this.#attention.run(name, (engine) => {
      const read = readForward(name, options === undefined ? {} : options);
      const layer = this.parts(name);
      return forwardSteps(engine, this, layer, checkForward(name, layer, inputs, read));
    }) as LayerResult<Options>;
  }

  /**
   * `forward` without holding the calling thread; see `attendAsync`.
   *
   * @throws As `forward`, and `signal.reason` if the signal aborts before the end; all by rejecting.
   */
  forwardAsync<const Options extends LayerOptions & Abortable = Record<never, never>>(
    inputs: Tensor | LayerInputs,
    options?: Exactly<Options, LayerOptions & Abortable>,
  ): Promise<LayerResult<Options>> {
    const name = "forwardAsync";
    return this.#attention.runAsync(name, () => {
      const { signal, ...read } = readForwardAsync(name, options === undefined ? {} : options);
      const call = checkForward(name, this.parts(name), inputs, read);
      return {
        signal,
        steps: (engine) => forwardSteps(engine, this, this.parts(name), call),
      };
    }) as Promise<LayerResult<Options>>;
  }

  /** @internal What forward and backward pass need. */
  parts(operation: string): LayerParts {
    return {
      attention: this.#attention,
      heads: this.#heads,
      keyValueHeads: this.#keyValueHeads,
      projections: this.#inUse(operation),
      appended: this.#appended,
    };
  }

  /** @internal The value itself if it is one. */
  static from(value: unknown): MultiHeadAttention | undefined {
    return typeof value === "object" && value !== null && #projections in value ? value : undefined;
  }

  /**
   * Packs other weights of the same sizes and orders in place, with biases where there are some;
   * what is left out stays as it is.
   *
   * @throws ArgumentError, MemoryError, DisposedError as the constructor; nothing is changed then.
   */
  update(weights: LayerUpdate): void {
    const operation = "update";
    const projections = this.#inUse(operation);
    const { biasKeyValue, ...given } = readUpdates(operation, weights, "weights");
    let appended = this.#appended;
    if (biasKeyValue !== undefined) {
      if (!appended?.biasDims) {
        const expected = "no value for a layer without one";
        throw new ArgumentError(operation, "biasKeyValue", expected, describe(biasKeyValue));
      }
      appended = appended.updated(operation, biasKeyValue);
    }
    const packings: Packing[] = [];
    for (const name of PROJECTIONS) {
      if (given[name] === undefined) continue;
      const { weight, bias, order } = readUpdate(operation, given[name], name);
      packings.push(projections[name].updating(operation, `${name}.`, weight, bias, order));
    }
    // The one that needs the most memory comes first: where it finds it, so do the others.
    packings.sort((a, b) => b.bytes - a.bytes);
    for (const packing of packings) packing.pack();
    this.#appended = appended;
  }

  #inUse(operation: string): Record<keyof LayerWeights, PreparedLinear> {
    if (!this.#projections)
      throw new DisposedError(operation, "layer", "a layer in use", "a disposed one");
    return this.#projections;
  }

  /** Heads and sizes; the weights are packed for the kernels. */
  toJSON(): object {
    const projections = this.#projections;
    const sizes = projections && {
      query: projections.query.toJSON(),
      key: projections.key.toJSON(),
      value: projections.value.toJSON(),
      output: projections.output.toJSON(),
    };
    return { heads: this.#heads, keyValueHeads: this.#keyValueHeads, ...(sizes ?? GONE) };
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    return inspected(NAME, this.toJSON(), options, inspect);
  }

  /** Gives the prepared weights back; a second call does nothing. */
  dispose(): void {
    if (!this.#projections) return;
    for (const projection of this.#own) projection.dispose();
    this.#projections = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }
}

/** @throws ArgumentError for what is no layer. */
export function checkLayer(operation: string, value: unknown): LayerParts {
  const layer = MultiHeadAttention.from(value);
  if (layer) return layer.parts(operation);
  throw new ArgumentError(operation, "layer", "a MultiHeadAttention", describe(value));
}
