// Normalisations, softmax and its logarithm as ONNX, onnxruntime and Keras have them.

import { type Tensor, tensor } from "wasm-attention";
import { layerNorm, logSoftmax, rmsNorm, softmax } from "wasm-attention/blocks";
import type { Whole } from "../engines";
import { type Case, floats, input, numbers, plus, wants } from "./case";

/** The input of one of these names. */
const given = (c: Case, ...names: string[]) =>
  floats(names.map((name) => input(c, name)).find(Boolean));

export function layerNormalization(engine: Whole, c: Case): Tensor[] {
  const { axis, epsilon: eps } = c.attributes;
  const [weight, bias] = [given(c, "scale", "W"), given(c, "bias", "B")];
  const options = { weight, bias, axis, eps, statistics: true } as const;
  const x = given(c, "x", "X") as Tensor;
  const { output, mean, inverseDeviation } = layerNorm(engine, x, options);
  return [output, mean, inverseDeviation];
}

export function rmsNormalization(engine: Whole, c: Case): Tensor[] {
  const { axis, epsilon: eps = 1e-5 } = c.attributes;
  const weight = given(c, "scale", "W");
  return [rmsNorm(engine, given(c, "x", "X") as Tensor, { weight, axis, eps }).output];
}

/** x / √Σx² is x / √mean(x²) · √(1/n). */
export function lpNormalization(engine: Whole, c: Case): Tensor[] {
  const { axis } = c.attributes;
  const x = given(c, "x") as Tensor;
  const size = x.dims.slice(axis).reduce((a, b) => a * b, 1);
  const weight = new Float32Array(size).fill(1 / Math.sqrt(size));
  return [rmsNorm(engine, x, { axis, eps: 0, weight }).output];
}

/** (input + bias) + skip, normalised; the sum is the fourth output. */
export function skipLayerNormalization(engine: Whole, c: Case): (Tensor | undefined)[] {
  const bias = given(c, "bias");
  const own = given(c, "input") as Tensor;
  const x = bias ? plus(own, bias.data) : own;
  const options = {
    weight: given(c, "gamma"),
    bias: given(c, "beta"),
    eps: c.attributes.epsilon,
    residual: given(c, "skip") as Tensor,
  };
  const { output, sum } = /Simplified/.test(c.op)
    ? rmsNorm(engine, x, options)
    : layerNorm(engine, x, options);
  return [output, undefined, undefined, wants(c, 3) ? sum : undefined];
}

export function softmaxOf(engine: Whole, c: Case): Tensor[] {
  return [softmax(engine, given(c, "x") as Tensor, { axis: c.attributes.axis })];
}

export function logSoftmaxOf(engine: Whole, c: Case): Tensor[] {
  return [logSoftmax(engine, given(c, "x") as Tensor, { axis: c.attributes.axis })];
}

/** Keras: over one axis or all of them, what the mask leaves out as −∞. */
export function kerasSoftmax(engine: Whole, c: Case): Tensor[] {
  const { data, dims } = given(c, "x") as Tensor;
  const mask = input(c, "mask");
  const seen = mask && numbers(mask);
  const x = data.map((value, i) => (!seen || seen[i] ? value : Number.NEGATIVE_INFINITY));
  const { axis } = c.attributes;
  if (axis.length === 1) return [softmax(engine, tensor(x, dims), { axis: axis[0] })];
  return [tensor(softmax(engine, tensor(x, [x.length])).data, dims)];
}
