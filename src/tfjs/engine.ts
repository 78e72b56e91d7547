// The engine that our kernels for TensorFlow.js run on. They are called synchronously, and a layer may
// be made by loading a model, so the engine is created beforehand and this module knows it.

import {
  getBackend,
  type NamedAttrMap,
  type NamedTensorMap,
  type Tensor,
  engine as tensorflow,
} from "@tensorflow/tfjs-core";
import { ArgumentError, type Attention, AttentionError, UnsupportedError } from "wasm-attention";
import { describe } from "../errors";

export const backends: readonly string[] = ["cpu", "wasm"];

let current: Attention<"training"> | undefined;

/** @throws ArgumentError for an engine without gradients; DisposedError for one that is disposed. */
export function changeEngine(operation: string, attention: Attention<"training">): void {
  if (!naming(operation, () => attention.extensions).training) {
    const expected = "an engine from createAttention({ extensions: [training] })";
    throw new ArgumentError(operation, "attention", expected, "one without training");
  }
  current = attention;
}

/** What `run` gives; an error of ours names the operation that the caller called. */
function naming<Result>(operation: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof AttentionError)) throw error;
    const { argument, expected, received } = error;
    throw new (error.constructor as typeof AttentionError)(operation, argument, expected, received);
  }
}

/** @throws ArgumentError before `registerAttention`. */
export function runningEngine(operation: string): Attention<"training"> {
  if (current) return current;
  const expected =
    "registerAttention(await createAttention({ extensions: [training] })) beforehand";
  throw new ArgumentError(operation, "attention", expected, "no engine");
}

/**
 * Runs a kernel of ours on tensors and records it for their gradients.
 *
 * @throws ArgumentError before `registerAttention`; DisposedError after the engine's `dispose`;
 * UnsupportedError on other backends.
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
  const run = () => tensorflow().runKernel(kernel, list, attributes as NamedAttrMap);
  return naming<unknown>(operation, run) as Tensor[];
}
