// transformerBackward: gradients of a layer's inputs and parameters.

import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { TransformerLayer } from "./layer";
import { transformerBackwardSteps } from "./layer-backward";
import type { TransformerGradients } from "./layer-options";
import { TransformerRecord } from "./layer-record";
import { backwardFields, type TransformerBackwardOptions } from "./layer-targets";

const read = reader<TransformerBackwardOptions>(backwardFields);
const readAsync = reader<TransformerBackwardOptions & Abortable>({ ...backwardFields, signal: 1 });

/**
 * Gradients of a layer's x, memory and every parameter, from that of the output and the record of the forward
 * pass that gave it. The record is let go of.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `forward`; the record stays then.
 */
export function transformerBackward(
  layer: TransformerLayer,
  outputGradient: Tensor,
  record: TransformerRecord,
  options: TransformerBackwardOptions = {},
): TransformerGradients {
  const name = "transformerBackward";
  const { attention, steps } = backward(name, layer, outputGradient, record);
  const own = read(name, options);
  const gradients = attention.run(name, (engine) => steps(engine, own));
  record.dispose();
  return gradients;
}

/** `transformerBackward` without holding the calling thread; see `attendAsync`. */
export async function transformerBackwardAsync(
  layer: TransformerLayer,
  outputGradient: Tensor,
  record: TransformerRecord,
  options: TransformerBackwardOptions & Abortable = {},
): Promise<TransformerGradients> {
  const name = "transformerBackwardAsync";
  const { attention, steps } = backward(name, layer, outputGradient, record);
  const { signal, ...own } = readAsync(name, options);
  const gradients = await attention.runAsync(name, () => ({
    signal,
    steps: (engine) => steps(engine, own),
  }));
  record.dispose();
  return gradients;
}

function backward(operation: string, layer: unknown, gradient: Tensor, record: unknown) {
  const found = TransformerLayer.from(layer);
  if (!found) {
    const expected = "a TransformerEncoderLayer or TransformerDecoderLayer";
    throw new ArgumentError(operation, "layer", expected, describe(layer));
  }
  const given = checkTensor(operation, "outputGradient", gradient);
  const { attention } = found;
  moduleOf(attention.running(operation), operation, "training");
  return {
    attention,
    steps: (engine: Engine, options: TransformerBackwardOptions) => {
      const kept = TransformerRecord.keptBy(found, operation, record);
      const pass = { outputGradient: given, options };
      return transformerBackwardSteps(engine, operation, found.parts(operation), kept, pass);
    },
  };
}
