// Rotary embeddings of a layer without a cache. How queries and keys are rotated is asked of the extension
// `positions`, so that a layer without them does not bring the code along.

import type { Attention } from "../attend/attention";
import { ArgumentError, describe } from "../errors";
import { moduleOf } from "../instance/modules";
import type { AllocatedTensor } from "../tensor/allocated";
import type { Tensor } from "../tensor/tensor";
import type { LayerOptions } from "./options";

/** Rotates x [B, L, heads·D] in place after its projection; `back` is what its gradient needs. */
export type Rotation = (operation: string, x: AllocatedTensor, back?: boolean) => void;

/** What a layer says of its queries; `headSize` is D. */
export interface Rotated {
  readonly query: Tensor;
  readonly headSize: number;
}

/** The extension's: checks the options, gives what rotates by them. */
export type MakeRotation = (
  operation: string,
  attention: Attention,
  options: LayerOptions,
  rotated: Rotated,
) => Rotation;

/** The rotation that a forward pass was asked for, if any. `own`: the keys are the query's. */
export function checkRotation(
  operation: string,
  attention: Attention,
  options: LayerOptions,
  { own, ...rotated }: Rotated & { readonly own: boolean },
): Rotation | undefined {
  const { rotary, cache } = options;
  if (rotary === undefined) return undefined;
  if (cache || !own) {
    const expected = cache
      ? "no value with a cache, which has its own"
      : "no value with a key, whose positions nothing says";
    throw new ArgumentError(operation, "rotary", expected, describe(rotary));
  }
  const engine = attention.running(operation);
  const { rotation } = engine.extensions[moduleOf(engine, operation, "positions") - 1] ?? {};
  return rotation?.(operation, attention, options, rotated);
}
