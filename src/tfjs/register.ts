// What TensorFlow.js is told of us: kernels for each backend, gradients, the class of the layer.

import {
  type GradConfig,
  getGradient,
  getKernel,
  registerGradient,
  registerKernel,
  serialization,
  unregisterGradient,
  unregisterKernel,
} from "@tensorflow/tfjs-core";
import { ArgumentError, type Attention } from "wasm-attention";
import { describe } from "../errors";
import { additiveGradient, additiveKernels } from "./additive";
import { backends, changeEngine, runningEngine } from "./engine";
import { AdditiveAttention, Attention as SingleHeadAttention } from "./keras-attention";
import { MultiHeadAttention } from "./layer";
import { linearGradient, linearKernels } from "./linear";
import { attendGradient, attendKernels } from "./scaled-dot-product";
import type { Kernel } from "./values";

/**
 * Makes `attention`, an engine with the extension `training` of `wasm-attention/training`, the one of
 * `scaledDotProductAttention`, `linear` and the layers, and tells TensorFlow.js of their kernels, gradients
 * and classes. To be called before one of them runs or a model with such a layer is loaded; called again, it
 * changes the engine. Additive scores ask for the extension `variants` besides.
 *
 * @throws ArgumentError unless `attention` comes from `createAttention({ extensions: [training] })`;
 * DisposedError after its `dispose`.
 */
export function registerAttention(attention: Attention<"training">): void {
  const operation = "registerAttention";
  if (!isEngine(attention)) {
    const expected = "an engine from createAttention({ extensions: [training] })";
    throw new ArgumentError(operation, "attention", expected, describe(attention));
  }
  changeEngine(operation, attention);
  for (const kernel of [...attendKernels, ...linearKernels, ...additiveKernels]) {
    for (const backend of backends) registerOn(backend, kernel);
  }
  for (const gradient of [attendGradient, linearGradient, additiveGradient]) {
    registerAnew(gradient);
  }
  serialization.registerClass(MultiHeadAttention);
  serialization.registerClass(SingleHeadAttention);
  serialization.registerClass(AdditiveAttention);
}

/** Not by its class, which is internal: a promise of one and a layer have no `attend`. */
function isEngine(value: unknown): boolean {
  return typeof (value as Partial<Attention> | null | undefined)?.attend === "function";
}

// TensorFlow.js warns of what is registered twice.

function registerOn(backendName: string, { name, run }: Kernel): void {
  if (getKernel(name, backendName)) unregisterKernel(name, backendName);
  registerKernel({
    kernelName: name,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) =>
      run(
        runningEngine(name),
        inputs as unknown as Parameters<Kernel["run"]>[1],
        attrs,
        backend as Parameters<Kernel["run"]>[3],
      ),
  });
}

function registerAnew(gradient: GradConfig): void {
  if (getGradient(gradient.kernelName)) unregisterGradient(gradient.kernelName);
  registerGradient(gradient);
}
