// What a caller handed over, brought into linear memory once, where several steps of a pass read it.

import type { Engine } from "../instance/instance";
import { copySteps } from "../run/copy";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import type { Tensor } from "../tensor/tensor";

/** x if it lies there already, else its copy in what `make` gives; with pauses where others may use the engine. */
export function* placeSteps(
  engine: Engine,
  operation: string,
  { argument, x }: { readonly argument: string; readonly x: Tensor },
  make: (dims: readonly number[]) => AllocatedTensor,
): Steps<Tensor> {
  const allocated = x instanceof AllocatedTensor;
  if (allocated && x.isIn(engine.arena)) return x;
  const place = make(x.dims);
  const address = place.address(operation, argument);
  const region = { slot: undefined, bytes: place.elements * 4, address };
  yield* copySteps(engine, operation, { region, argument, from: allocated ? x : x.data });
  return place;
}
