// additiveAttention and its gradients as kernels of TensorFlow.js, of one head. The tape keeps the inputs
// alone: the backward pass makes scores and weights anew.

import type { GradConfig, Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import { ArgumentError, type Attention } from "wasm-attention";
import { additiveAttention, additiveAttentionBackward } from "wasm-attention/variants";
import { runKernel, runningEngine } from "./engine";
import { type Backend, type Kernel, read, readMask, write } from "./values";

type Floats = ReturnType<typeof read>;

const FORWARD = "WasmAttentionAdditive";
const BACKWARD = "WasmAttentionAdditiveBackward";

/** What there is besides query [B, L, D], key [B, S, D] and value [B, S, Dv]. */
export interface AdditiveInputs {
  /** v of v·tanh(q + k), [D]; 1 where there is none. */
  readonly scoreWeight?: Tensor | undefined;
  /** bool, broadcast over [B, 1, L, S]. */
  readonly mask?: Tensor | undefined;
  readonly causal: boolean;
  /** Whether the weights [B, 1, L, S] are a second output, with a gradient of its own. */
  readonly weights: boolean;
}

const further = ["scoreWeight", "mask"] as const;

interface Attributes {
  readonly causal: boolean;
  readonly weights: boolean;
  /** The inputs after query, key and value. */
  readonly given: readonly (typeof further)[number][];
  readonly operation: string;
}

/**
 * → output [B, L, Dv] and, where they are wanted, weights.
 *
 * @throws ArgumentError for an engine without the extension `variants`.
 */
export function additiveTensors(
  operation: string,
  tensors: readonly [query: Tensor, key: Tensor, value: Tensor],
  { causal, weights, ...besides }: AdditiveInputs,
): Tensor[] {
  withVariants(operation, runningEngine(operation));
  const given = further.filter((name) => besides[name] !== undefined);
  const inputs = [...tensors, ...given.map((name) => besides[name] as Tensor)];
  const attributes: Attributes = { causal, weights, given, operation };
  return runKernel(operation, FORWARD, inputs, attributes);
}

function withVariants(operation: string, attention: Attention): Attention<"variants"> {
  const engine = attention as Attention<"variants">;
  if (engine.extensions.variants) return engine;
  const expected =
    "registerAttention(await createAttention({ extensions: [training, variants] })) beforehand";
  throw new ArgumentError(operation, "attention", expected, "an engine without variants");
}

function optionsOf(backend: Backend, inputs: TensorInfo[], { causal, given }: Attributes) {
  const at = (name: (typeof further)[number]) => {
    const index = given.indexOf(name);
    return index < 0 ? undefined : inputs[3 + index];
  };
  const [weight, mask] = [at("scoreWeight"), at("mask")];
  return {
    layout: "BLE",
    heads: 1,
    causal,
    scoreWeight: weight && read(backend, weight),
    mask: mask && readMask(backend, mask),
  } as const;
}

const forward: Kernel = {
  name: FORWARD,
  run(attention, inputs, attributes: Attributes, backend) {
    const [query, key, value] = inputs.slice(0, 3).map((input) => read(backend, input));
    const options = { ...optionsOf(backend, inputs, attributes), weights: attributes.weights };
    const engine = withVariants(attributes.operation, attention);
    const { output, weights } = additiveAttention(engine, query, key, value, options);
    return [output, weights].filter((x) => x !== undefined).map((x) => write(backend, x));
  },
};

/** inputs those of the forward pass, and the gradients of what it gave. */
const backward: Kernel = {
  name: BACKWARD,
  run(attention, inputs, attributes: Attributes, backend) {
    const tensors = inputs.map((input) => input.dtype === "float32" && read(backend, input));
    const [query, key, value] = tensors as Floats[];
    const [outputGradient, weightsGradient] = tensors.slice(
      3 + attributes.given.length,
    ) as Floats[];
    // TensorFlow.js hands zeros for an output that nothing depends on.
    const learned = weightsGradient?.data.some((x) => x !== 0) && { weightsGradient };
    const made = additiveAttentionBackward(
      withVariants(attributes.operation, attention),
      { query, key, value, outputGradient, ...learned },
      optionsOf(backend, inputs, attributes),
    );
    const { queryGradient, keyGradient, valueGradient, scoreWeightGradient } = made;
    return [queryGradient, keyGradient, valueGradient, scoreWeightGradient].map((x) =>
      write(backend, x),
    );
  },
};

export const additiveKernels: readonly Kernel[] = [forward, backward];

export const additiveGradient: GradConfig = {
  kernelName: FORWARD,
  saveAllInputs: true,
  gradFunc: (gradients, saved, attributes) => {
    const { operation, given } = attributes as unknown as Attributes;
    const inputs = [...saved, ...[gradients as Tensor | Tensor[]].flat()];
    const made = runKernel(operation, BACKWARD, inputs, attributes as object);
    return {
      0: () => made[0],
      1: () => made[1],
      2: () => made[2],
      ...(given.includes("scoreWeight") && { 3: () => made[3] }),
      // A mask of booleans has no gradient, and TensorFlow.js asks for none.
    };
  },
};
