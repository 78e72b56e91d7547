// What a transformer layer's forward pass keeps for its backward pass.

import { ArgumentError, DisposedError, describe } from "../errors";
import type { LayerRecord } from "../layer/record";
import type { AllocatedTensor } from "../tensor/allocated";
import { disposeSymbol } from "../tensor/disposal";
import type { Tensor } from "../tensor/tensor";

/** Of one sublayer: what its norm normalised, and what it was given. */
export interface KeptSublayer {
  readonly sum: Tensor;
  readonly input: Tensor;
  /** Of an attention. */
  readonly record?: LayerRecord | undefined;
  /** Of the feed-forward part: before and after its activation. */
  readonly hidden?: Tensor | undefined;
  readonly gate?: Tensor | undefined;
  readonly activated?: Tensor | undefined;
}

/** Dropout of the whole layer. */
export interface LayerDropout {
  readonly probability: number;
  readonly seed: number;
}

export interface Kept {
  readonly sublayers: readonly KeptSublayer[];
  readonly dropout: LayerDropout | undefined;
  /** All that is freed with it. */
  readonly tensors: readonly AllocatedTensor[];
}

/**
 * What `forward` keeps with `record: true`, in linear memory. `transformerBackward` lets go of it once it has
 * succeeded, `dispose` does so without. An x or a memory that lies in linear memory is read by the backward pass
 * itself.
 */
export class TransformerRecord {
  /** @internal */
  static readonly name = "TransformerRecord";
  #layer: object;
  #kept: Kept | undefined;

  /** @internal */
  constructor(layer: object, kept: Kept) {
    this.#layer = layer;
    this.#kept = kept;
  }

  /** @internal What was kept by a pass of this very layer. */
  static keptBy(layer: object, operation: string, value: unknown): Kept {
    if (typeof value !== "object" || value === null || !(#kept in value)) {
      const expected = "a record from forward with record: true";
      throw new ArgumentError(operation, "record", expected, describe(value));
    }
    if (!value.#kept)
      throw new DisposedError(operation, "record", "a record in use", "a disposed one");
    if (value.#layer !== layer)
      throw new ArgumentError(operation, "record", "a record of this layer", "one of another");
    return value.#kept;
  }

  /** Gives the memory back; a second call does nothing. */
  dispose(): void {
    if (!this.#kept) return;
    for (const { record } of this.#kept.sublayers) record?.dispose();
    for (const tensor of this.#kept.tensors) tensor.dispose();
    this.#kept = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }
}
