// The float32 matrix of a prepared weight, read back from its block, and parts of it.

import { PACKED_DEPTH } from "../../assembly/kinds";
import { ArgumentError } from "../errors";
import type { Engine } from "../instance/instance";
import type { Projection } from "../layer/projections";
import type { PreparedLinear } from "../linear/prepared";
import type { Order } from "../linear/product";

/** A weight and its bias; `at` gives where an element lies in `data`. */
export interface Matrix {
  readonly data: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly order: Order;
  readonly inputs: number;
  readonly outputs: number;
}

/** Index of an element of [out, in] or [in, out]. */
export function at({ order, inputs, outputs }: Matrix, output: number, input: number): number {
  return order === "out,in" ? output * inputs + input : input * outputs + output;
}

/**
 * PACKED_DEPTH inputs after the other, each panels of eight outputs [inputs][8], then the bias:
 * assembly/linear/pack.ts.
 *
 * @throws ArgumentError for a weight of few bits, DisposedError for a disposed one.
 */
export function matrixOf(
  engine: Engine,
  operation: string,
  prepared: PreparedLinear,
  argument: string,
): Matrix {
  const { address, form } = prepared.block(engine, operation, argument);
  if (form) {
    const expected = "a weight of float32, from prepareLinear";
    throw new ArgumentError(operation, argument, expected, `one of ${form.numbers}`);
  }
  const { inputSize: inputs, outputSize: outputs, order } = prepared;
  const { floats } = engine.arena;
  const start = address / 4;
  const width = Math.ceil(outputs / 8) * 8;
  const end = start + width * inputs;
  const data = new Float32Array(outputs * inputs);
  const bias = prepared.biasDims && floats.slice(end, end + outputs);
  const matrix = { data, bias, order, inputs, outputs };
  for (let from = 0; from < inputs; from += PACKED_DEPTH) {
    const count = Math.min(PACKED_DEPTH, inputs - from);
    for (let output = 0; output < outputs; output++) {
      const lane = output % 8;
      const column = start + from * width + (output - lane) * count + lane;
      for (let row = 0; row < count; row++)
        data[at(matrix, output, from + row)] = floats[column + row * 8] as number;
    }
  }
  return matrix;
}

/** As the layer's constructor takes it. */
export function projectionOf({ data, bias, order, inputs, outputs }: Matrix): Projection {
  const dims = order === "out,in" ? [outputs, inputs] : [inputs, outputs];
  return { weight: { data, dims }, order, bias };
}

/** The matrix of some outputs, or of some inputs, in that order. */
export function partOf(whole: Matrix, axis: "outputs" | "inputs", kept: readonly number[]): Matrix {
  const ofOutputs = axis === "outputs";
  const [outputs, inputs] = ofOutputs ? [kept.length, whole.inputs] : [whole.outputs, kept.length];
  const { order, bias } = whole;
  const data = new Float32Array(outputs * inputs);
  const part: Matrix = {
    data,
    bias: bias && ofOutputs ? Float32Array.from(kept, (output) => bias[output] as number) : bias,
    order,
    inputs,
    outputs,
  };
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const from = ofOutputs
        ? at(whole, kept[output] as number, input)
        : at(whole, output, kept[input] as number);
      data[at(part, output, input)] = whole.data[from] as number;
    }
  }
  return part;
}
