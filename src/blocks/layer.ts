// What an encoder and a decoder layer have in common: parameters, their update, and their end.

import { type Attention, checkAttention } from "../attend/attention";
import { DisposedError } from "../errors";
import { moduleOf } from "../instance/modules";
import { type ComposedWeights, compose } from "../layer/composed";
import { bindMethods } from "../tensor/binding";
import { disposeSymbol } from "../tensor/disposal";
import type { TransformerParts } from "./layer-check";
import { readUpdate, type TransformerConfig, type TransformerUpdate } from "./layer-options";
import { composition, disposeParts, updateParts } from "./layer-parts";

/** What encoder and decoder layer have in common. */
export abstract class TransformerLayer {
  /** @internal */
  static readonly name: string = "TransformerLayer";
  readonly #attention: Attention<"blocks">;
  #parts: TransformerParts | undefined;

  /** @internal */
  constructor(attention: Attention<"blocks">, operation: string, make: () => TransformerParts) {
    const engine = checkAttention(operation, attention).running(operation);
    moduleOf(engine, operation, "blocks");
    this.#attention = attention;
    this.#parts = make();
    bindMethods(this, TransformerLayer.prototype);
    compose(this, {
      parts: (name) => composition(name, attention, this.parts(name)),
      again: (...given) => this.again(...given),
    });
  }

  /** @internal A layer of the same kind. */
  protected abstract again(
    operation: string,
    config: TransformerConfig,
    weights: ComposedWeights,
  ): TransformerLayer;

  /** @internal */
  get attention(): Attention<"blocks"> {
    return this.#attention;
  }

  /** @internal */
  parts(operation: string): TransformerParts {
    if (!this.#parts)
      throw new DisposedError(operation, "layer", "a layer in use", "a disposed one");
    return this.#parts;
  }

  /** @internal The value itself if it is one. */
  static from(value: unknown): TransformerLayer | undefined {
    return typeof value === "object" && value !== null && #parts in value ? value : undefined;
  }

  /**
   * Other parameters of the same sizes and orders, in place; what is left out stays as it is.
   *
   * @throws ArgumentError, MemoryError, DisposedError as the constructor; nothing is changed then.
   */
  update(weights: TransformerUpdate): void {
    const name = "update";
    this.#attention.running(name);
    updateParts(name, this.parts(name), readUpdate(name, weights, "weights"));
  }

  /** Gives the memory of its parameters back; a second call does nothing. */
  dispose(): void {
    if (this.#parts) disposeParts(this.#parts);
    this.#parts = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }
}
