// What a caller handed over, brought into linear memory once, where several steps of a pass read it.

import type { Engine } from "../instance/instance";
import { copyIn } from "../run/copy";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import type { Tensor } from "../tensor/tensor";

/** Copied without a pause. */
const PIECE_BYTES = 2 ** 20;

/** x if it lies there already, else its copy in what `make` gives; with pauses where others may use the engine. */
export function* placeSteps(
  { arena, concurrent }: Engine,
  operation: string,
  { argument, x }: { readonly argument: string; readonly x: Tensor },
  make: (dims: readonly number[]) => AllocatedTensor,
): Steps<Tensor> {
  if (x instanceof AllocatedTensor && x.isIn(arena)) return x;
  const place = make(x.dims);
  const bytes = place.elements * 4;
  const region = { slot: undefined, bytes, address: place.address(operation, argument) };
  const copy = { region, argument, from: x instanceof AllocatedTensor ? x : x.data };
  const piece = concurrent ? PIECE_BYTES : bytes;
  for (let at = 0; at < bytes; at += piece) {
    copyIn(arena, operation, copy, at, Math.min(at + piece, bytes));
    if (concurrent) yield;
  }
  return place;
}
