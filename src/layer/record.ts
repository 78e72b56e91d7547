// What the layer's forward pass keeps for its backward pass.

import type { AttendCall } from "../attend/forward";
import { ArgumentError, DisposedError } from "../errors";
import type { AllocatedTensor } from "../tensor/allocated";
import { disposeSymbol } from "../tensor/disposal";
import { GONE, inspected, inspectSymbol } from "../tensor/printing";
import type { Tensor } from "../tensor/tensor";
import type { AppendedRows } from "./appended";
import type { Rotation } from "./rotation";

/** What a forward pass keeps for its backward pass. */
export interface Recorded {
  readonly given: {
    readonly query: Tensor;
    readonly key?: Tensor | undefined;
    readonly value?: Tensor | undefined;
  };
  /** The call of attend with the projected inputs, and what it made of them. */
  readonly call: AttendCall & {
    readonly inputs: Record<"query" | "key" | "value", AllocatedTensor>;
  };
  readonly mixed: AllocatedTensor;
  /** Of softmax. */
  readonly logSumExp: Tensor | undefined;
  /** Of projected queries and keys. */
  readonly rotation: Rotation | undefined;
  /** Keys and values that every query saw besides. */
  readonly appended: AppendedRows | undefined;
}

/**
 * What `forward` keeps with `record: true`: the projected inputs in linear memory. `multiHeadBackward`
 * lets go of it once it has succeeded, `dispose` does so without. The inputs themselves are read by the
 * backward pass.
 */
export class LayerRecord {
  /** @internal */
  static readonly name = "LayerRecord";
  #recorded: Recorded | undefined;
  #layer: object;

  /** @internal */
  constructor(layer: object, recorded: Recorded) {
    this.#layer = layer;
    this.#recorded = recorded;
  }

  /** @internal The value itself if it is one. */
  static from(value: unknown): LayerRecord | undefined {
    return typeof value === "object" && value !== null && #recorded in value ? value : undefined;
  }

  /** @internal */
  recordedBy(layer: object, operation: string): Recorded {
    if (!this.#recorded)
      throw new DisposedError(operation, "record", "a record in use", "a disposed one");
    if (layer !== this.#layer)
      throw new ArgumentError(operation, "record", "a record of this layer", "one of another");
    return this.#recorded;
  }

  /** Gives the memory back; a second call does nothing. */
  dispose(): void {
    if (!this.#recorded) return;
    const { mixed, call } = this.#recorded;
    const { query, key, value } = call.inputs;
    for (const tensor of [query, key, value, mixed]) tensor.dispose();
    this.#recorded = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    const shown = this.#recorded ? { query: this.#recorded.given.query.dims } : GONE;
    return inspected("LayerRecord", shown, options, inspect);
  }
}
