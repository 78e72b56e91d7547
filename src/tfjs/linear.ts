// y = x · W + bias in our kernels, with its gradients.
//
//   dx = dy · Wᵀ    dW = xᵀ · dy    dbias = Σ dy over the rows

import { type GradConfig, reshape, type Tensor, tidy } from "@tensorflow/tfjs-core";
import {
  ArgumentError,
  type Attention,
  type PreparedLinear,
  type PrepareOptions,
  prepareLinear,
  linear as product,
} from "wasm-attention";
import { linearBackward } from "wasm-attention/training";
import { describe } from "../errors";
import { runKernel } from "./engine";
import { checkTensor, type Kernel, read, write } from "./values";

const NAME = "linear";
const FORWARD = "WasmAttentionLinear";
const BACKWARD = "WasmAttentionLinearBackward";

interface Attributes extends Pick<PrepareOptions, "order"> {
  /** Whom errors name. */
  readonly operation: string;
}

/**
 * x · kernel + bias over the last axis, on tensors of TensorFlow.js, with gradients of all three:
 * x [..., in], kernel [in, out], bias [out] → [..., out]. What a dense layer does, in our kernels.
 *
 * @throws ArgumentError for sizes that do not fit or types other than float32; MemoryError if linear
 * memory cannot hold the call; UnsupportedError on backends other than cpu and wasm.
 */
export function linear(x: Tensor, kernel: Tensor, bias?: Tensor): Tensor {
  return multiply(NAME, x, kernel, bias);
}

/** The same for an operation that is built of it. */
export function multiply(operation: string, x: Tensor, kernel: Tensor, bias?: Tensor): Tensor {
  checkTensor(operation, "x", x);
  checkTensor(operation, "kernel", kernel);
  if (bias) checkTensor(operation, "bias", bias);
  const [size, outputs] = kernel.shape;
  if (kernel.rank !== 2 || x.shape.at(-1) !== size) {
    const expected = `[in, out] with in = ${x.shape.at(-1)}`;
    throw new ArgumentError(operation, "kernel.shape", expected, describe(kernel.shape));
  }
  return tidy(() => {
    const rows = reshape(x, [-1, size]);
    const inputs = bias ? [rows, kernel, bias] : [rows, kernel];
    const attributes: Attributes = { order: "in,out", operation };
    const [y] = runKernel(operation, FORWARD, inputs, attributes);
    return reshape(y, [...x.shape.slice(0, -1), outputs]);
  });
}

/** Packs a matrix for as long as `use` runs: while a model learns, it is another at every step. */
function withPrepared<Result>(
  attention: Attention,
  weight: { data: Float32Array; dims: readonly number[] },
  options: PrepareOptions,
  use: (prepared: PreparedLinear) => Result,
): Result {
  const prepared = prepareLinear(attention, weight, options);
  try {
    return use(prepared);
  } finally {
    prepared.dispose();
  }
}

const forward: Kernel = {
  name: FORWARD,
  run(attention, inputs, { order }: Attributes, backend) {
    const [x, weight, bias] = inputs.map((input) => read(backend, input));
    const multiply = (prepared: PreparedLinear) => product(attention, x, prepared);
    return [write(backend, withPrepared(attention, weight, { order, bias }, multiply))];
  },
};

/** inputs dy, x, W and bias → dW and dbias. */
const backward: Kernel = {
  name: BACKWARD,
  run(attention, inputs, { order }: Attributes, backend) {
    const [dy, x, weight, bias] = inputs.map((input) => read(backend, input));
    const gradients = withPrepared(attention, weight, { order, bias }, (prepared) =>
      linearBackward(attention, dy, x, prepared, { gradients: { input: false } }),
    );
    const { weightGradient, biasGradient } = gradients;
    return [weightGradient, ...(biasGradient ? [biasGradient] : [])].map((gradient) =>
      write(backend, gradient),
    );
  },
};

export const linearKernels: readonly Kernel[] = [forward, backward];

export const linearGradient: GradConfig = {
  kernelName: FORWARD,
  saveAllInputs: true,
  gradFunc: (dy, saved, attributes) => {
    const { order, operation } = attributes as unknown as Attributes;
    const gradient = dy as Tensor;
    const [, weight] = saved as [Tensor, Tensor];
    // Weights nearly always learn, but the input of a model's first layer does not.
    const ofWeights = runKernel(operation, BACKWARD, [gradient, ...saved], { order, operation });
    const transposed = order === "in,out" ? "out,in" : "in,out";
    const ofInput: Attributes = { order: transposed, operation };
    return {
      0: () => runKernel(operation, FORWARD, [gradient, weight], ofInput)[0],
      1: () => ofWeights[0],
      2: () => ofWeights[1],
    };
  },
};
