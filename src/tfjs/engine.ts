// The engine that our kernels for TensorFlow.js run on. They are called synchronously, and a layer may
// be made by loading a model, so the engine is created beforehand and this module knows it.

import {
  getBackend,
  type NamedAttrMap,
  type NamedTensorMap,
  type Tensor,
  engine as tensorflow,
} from "@tensorflow/tfjs-core";
import { ArgumentError, type Attention, UnsupportedError } from "wasm-attention";
import { describe } from "../errors";

export const backends: readonly string[] = ["cpu", "wasm"];

let current: Attention | undefined;

export function changeEngine(attention: Attention): void {
  current = attention;
}

/** @throws ArgumentError before `registerAttention`. */
export function runningEngine(operation: string): Attention {
  if (current) return current;
  const expected = "registerAttention(await createAttention()) beforehand";
  throw new ArgumentError(operation, "attention", expected, "no engine");
}

/**
 * Runs a kernel of ours on tensors and records it for their gradients.
 *
 * @throws ArgumentError before `registerAttention`; UnsupportedError on other backends.
 */
export function runKernel(
  operation: string,
  kernel: string,
  inputs: readonly Tensor[],
  attributes: object,
): Tensor[] {
  runningEngine(operation);
  const backend = getBackend();
  if (!backends.includes(backend)) {
    const expected = `TensorFlow.js's backend ${backends.join(" or ")}`;
    throw new UnsupportedError(operation, "backend", expected, describe(backend));
  }
  // A list, as ConcatV2 has: kernels whose number of inputs varies save all of them.
  const list = inputs as unknown as NamedTensorMap;
  const outputs: unknown = tensorflow().runKernel(kernel, list, attributes as NamedAttrMap);
  return outputs as Tensor[];
}
