// dequantize: what a weight of few bits stands for.

import { QuantizedKernel } from "../../assembly/kinds";
import { QuantizedFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import { ArgumentError } from "../errors";
import type { Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { checkPrepared, type PreparedLinear } from "../linear/prepared";
import { Staging } from "../run/staging";
import type { Steps } from "../run/steps";
import type { Tensor } from "../tensor/tensor";
import { writeSizes } from "./prepare";

/**
 * The weight that a prepared one stands for, in float32, [out, in] or [in, out] as it was prepared: a
 * number times its scale, with its offset.
 *
 * @throws ArgumentError for a weight that is float32 already; MemoryError, DisposedError as `linear`.
 */
export function dequantize(attention: Attention<"quantized">, prepared: PreparedLinear): Tensor {
  const name = "dequantize";
  return checkAttention(name, attention).run(name, (engine) => unpack(engine, name, prepared));
}

function* unpack(engine: Engine, operation: string, given: PreparedLinear): Steps<Tensor> {
  const number = moduleOf(engine, operation, "quantized");
  const module = engine.modules[number] as Module;
  const prepared = checkPrepared(operation, given);
  const { address, form } = prepared.block(engine, operation);
  if (!form) {
    const expected = "a weight from prepareQuantized";
    throw new ArgumentError(operation, "prepared", expected, "one of float32");
  }
  const { inputSize, outputSize, weightDims } = prepared;
  const order = prepared.order;
  writeSizes(engine, { order, inputSize, outputSize, form });
  const kernel = QuantizedKernel.unpack;
  const staging = new Staging(engine, operation);
  staging.block(QuantizedFrame.packed, address);
  const result = staging.output(QuantizedFrame.result, weightDims, undefined);
  staging.reserve(QuantizedFrame.scratch, module.scratchBytes(kernel, engine.frame));
  try {
    yield* staging.beginSteps();
    yield staging.work({ module: number, kernel }, 1, 1);
    return yield* staging.result(result);
  } finally {
    staging.release();
  }
}
