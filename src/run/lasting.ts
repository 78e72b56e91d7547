// What a call in several parts is given: memory may grow between them, and a bare view of it then ends.

import { bufferOf, lengthOf } from "../arrays";
import type { Engine } from "../instance/instance";
import { AllocatedTensor } from "../tensor/allocated";
import { set, type Tensor } from "../tensor/tensor";

/** The tensor, or a copy where it is a bare view of this memory. */
export function lasting({ arena }: Engine, given: Tensor): Tensor {
  if (AllocatedTensor.from(given)) return given;
  return { data: lastingData(arena.floats, given.data), dims: given.dims };
}

/** Likewise of several. */
export function lastingOf<Given extends object, Name extends keyof Given>(
  engine: Engine,
  given: Given,
  ...names: readonly Name[]
): Given {
  const held = { ...given };
  for (const name of names) {
    const tensor = given[name] as Tensor | undefined;
    if (tensor) held[name] = lasting(engine, tensor) as Given[Name];
  }
  return held;
}

/** Likewise of a vector, which may be a tensor. */
export function lastingVector<Given extends Float32Array | Tensor | undefined>(
  engine: Engine,
  given: Given,
): Given {
  if (given === undefined) return given;
  if ("dims" in given) return lasting(engine, given) as Given;
  return lastingData(engine.arena.floats, given as Float32Array) as Given;
}

function lastingData(floats: Float32Array, data: Float32Array): Float32Array {
  if (bufferOf(data) !== floats.buffer) return data;
  const copy = new Float32Array(lengthOf(data));
  set(copy, data);
  return copy;
}
