// Gradients of LocationSensitiveAttention's memory, once those of all steps are summed: through the key's projection.

import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import type { Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import { lastingOf } from "../run/lasting";
import type { Steps } from "../run/steps";
import { add, checkDimsOf, checkTensor, type Tensor } from "../tensor/tensor";
import { linearGradients } from "../training/linear";
import { type ProjectionGradient, projectionGradient } from "./additive-layer-backward";
import type { AdditiveParts } from "./layer-weights";
import {
  checkMemoryDims,
  type LocationMemory,
  LocationSensitiveAttention,
  readMemory,
} from "./location-layer";

/** What `memory` was given, and the gradients of what it gave. */
export interface LocationMemoryPass {
  /** [B, S, Ek] */
  readonly key: Tensor;
  /** [B, S, Dv]; the key by default. */
  readonly value?: Tensor | undefined;
  /** What `locationLayerBackward` gave for the first step. */
  readonly memoryGradient: LocationMemory;
}

/** What `locationMemoryBackward` returns. */
export interface LocationMemoryGradients {
  /** In the dims of the key; that of the values too, where the key was the value. */
  keyGradient: Tensor;
  /** In the dims of the value, where it was given. */
  valueGradient?: Tensor;
  /** Of the weights that the memory was made with. */
  weights: {
    /** Of U. */
    key: ProjectionGradient;
  };
}

const readSignal = reader<Abortable>({ signal: 1 });
const readMemoryPass = reader<LocationMemoryPass>(
  { key: 1, value: 1, memoryGradient: 1 },
  "{ key, value?, memoryGradient }",
);

/**
 * Gradients of `LocationSensitiveAttention`'s `memory`, once all steps have been gone back through.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `memory`.
 */
export function locationMemoryBackward(
  layer: LocationSensitiveAttention,
  pass: LocationMemoryPass,
): LocationMemoryGradients {
  const name = "locationMemoryBackward";
  const { parts } = LocationSensitiveAttention.partsOf(name, layer);
  return parts.attention.run(name, (engine) => memorySteps(engine, checkMemory(name, parts, pass)));
}

/** `locationMemoryBackward` without holding the calling thread; see `attendAsync`. */
export function locationMemoryBackwardAsync(
  layer: LocationSensitiveAttention,
  pass: LocationMemoryPass,
  options: Abortable = {},
): Promise<LocationMemoryGradients> {
  const name = "locationMemoryBackwardAsync";
  const { parts } = LocationSensitiveAttention.partsOf(name, layer);
  return parts.attention.runAsync(name, () => {
    const { signal } = readSignal(name, options);
    const call = checkMemory(name, parts, pass);
    return { signal, steps: (engine) => memorySteps(engine, call) };
  });
}

function checkMemory(operation: string, parts: AdditiveParts, given: LocationMemoryPass) {
  const pass = readMemoryPass(operation, given, "pass");
  const key = checkTensor(operation, "key", pass.key);
  const value = pass.value === undefined ? key : checkTensor(operation, "value", pass.value);
  const gradient = readMemory(operation, pass.memoryGradient, "memoryGradient");
  const like = (name: keyof LocationMemory, dims: readonly number[]) => {
    const tensor = checkTensor(operation, `memoryGradient.${name}`, gradient[name]);
    checkDimsOf(operation, `memoryGradient.${name}`, tensor, dims);
    return tensor;
  };
  checkMemoryDims(operation, key, value);
  return {
    ...{ operation, parts, key, own: pass.value !== undefined },
    ofKey: like("key", parts.projectedDims(operation, "key", key)),
    ofValue: like("value", value.dims),
  };
}

function* memorySteps(
  engine: Engine,
  call: ReturnType<typeof checkMemory>,
): Steps<LocationMemoryGradients> {
  const { operation, parts, own } = call;
  const { key, ofKey, ofValue } = lastingOf(engine, call, "key", "ofKey", "ofValue");
  moduleOf(engine, operation, "training");
  const pass = { outputGradient: ofKey, x: key, weight: parts.inUse(operation).key };
  const back = yield* linearGradients(engine, operation, pass, {});
  const keyGradient = back.inputGradient as Tensor;
  const weights = { key: projectionGradient(back) };
  if (!own) {
    add(keyGradient.data, ofValue.data);
    return { keyGradient, weights };
  }
  const valueGradient = { data: ofValue.data.slice(), dims: ofValue.dims };
  return { keyGradient, valueGradient, weights };
}
