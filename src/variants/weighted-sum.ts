// weightedSum: the output of weights that another operation gave, and its gradients.

import { VariantsKernel } from "../../assembly/kinds";
import { WeightedSumFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf, sameDims } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { variantSteps, type Word } from "./module";

/** Options of `weightedSum`. */
export interface WeightedSumOptions {
  /** Where to write the output: as many elements as it has. */
  out?: Float32Array | Tensor | undefined;
}

/** What `weightedSumBackward` returns. */
export interface WeightedSumGradients {
  /** In the dims of the weights. */
  weightsGradient: Tensor;
  /** In the dims of the value. */
  valueGradient: Tensor;
}

const read = reader<WeightedSumOptions>({ out: 1 });
const readAsync = reader<WeightedSumOptions & Abortable>({ out: 1, signal: 1 });
const readSignal = reader<Abortable>({ signal: 1 });

/**
 * weights · value, [..., L, S] by [..., S, Dv] → [..., L, Dv]: the output of an alignment. A key of weight 0 does not
 * take part, whatever its value holds.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function weightedSum(
  attention: Attention<"variants">,
  weights: Tensor,
  value: Tensor,
  options: WeightedSumOptions = {},
): Tensor {
  const name = "weightedSum";
  return checkAttention(name, attention).run(name, (engine) => {
    const { out } = read(name, options);
    return weightedSumSteps(engine, checkSizes(name, weights, value), out);
  });
}

/** `weightedSum` without holding the calling thread; see `attendAsync`. */
export function weightedSumAsync(
  attention: Attention<"variants">,
  weights: Tensor,
  value: Tensor,
  options: WeightedSumOptions & Abortable = {},
): Promise<Tensor> {
  const name = "weightedSumAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, out } = readAsync(name, options);
    const call = checkSizes(name, weights, value);
    const target = checkOut(name, out, call.outputDims);
    return { signal, steps: (engine) => weightedSumSteps(engine, call, target) };
  });
}

/**
 * Gradients of `weightedSum`; outputGradient in the dims of its output.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function weightedSumBackward(
  attention: Attention<"variants">,
  outputGradient: Tensor,
  weights: Tensor,
  value: Tensor,
): WeightedSumGradients {
  const name = "weightedSumBackward";
  return checkAttention(name, attention).run(name, (engine) => {
    const call = checkSizes(name, weights, value);
    return weightedSumGradients(engine, call, checkGradient(name, outputGradient, call));
  });
}

/** `weightedSumBackward` without holding the calling thread; see `attendAsync`. */
export function weightedSumBackwardAsync(
  attention: Attention<"variants">,
  outputGradient: Tensor,
  weights: Tensor,
  value: Tensor,
  options: Abortable = {},
): Promise<WeightedSumGradients> {
  const name = "weightedSumBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal } = readSignal(name, options);
    const call = checkSizes(name, weights, value);
    const gradient = checkGradient(name, outputGradient, call);
    return { signal, steps: (engine) => weightedSumGradients(engine, call, gradient) };
  });
}

type Sizes = ReturnType<typeof checkSizes>;

export function checkSizes(operation: string, weights: unknown, value: unknown) {
  const given = checkTensor(operation, "weights", weights);
  const values = checkTensor(operation, "value", value);
  if (given.dims.length < 2)
    throw new ArgumentError(operation, "weights.dims", "[..., L, S]", describe(given.dims));
  const batch = given.dims.slice(0, -2);
  const [rows, keys] = given.dims.slice(-2) as [number, number];
  const size = values.dims.at(-1) as number;
  if (!sameDims(values.dims, [...batch, keys, size]) || size < 1) {
    const expected = `[${[...batch, keys].join(", ")}, Dv]`;
    throw new ArgumentError(operation, "value.dims", expected, describe(values.dims));
  }
  const words: Word[] = [
    [Frame.batch, elementsOf(batch)],
    [Frame.rows, rows],
    [Frame.keys, keys],
    [Frame.size, size],
  ];
  const cost = elementsOf(given.dims) * size;
  return { operation, given, values, words, cost, outputDims: [...batch, rows, size] };
}

export function checkGradient(operation: string, gradient: unknown, { outputDims }: Sizes): Tensor {
  const checked = checkTensor(operation, "outputGradient", gradient);
  checkDimsOf(operation, "outputGradient", checked, outputDims);
  return checked;
}

const SLOTS = { threadsSlot: Frame.threads, scratchSlot: Frame.scratch } as const;

export function* weightedSumSteps(engine: Engine, call: Sizes, out: unknown): Steps<Tensor> {
  const target = checkOut(call.operation, out, call.outputDims);
  const [output] = yield* variantSteps(engine, {
    ...SLOTS,
    ...call,
    kernel: VariantsKernel.weightedSum,
    stage(staging) {
      staging.tensor(Frame.weights, "weights", call.given);
      staging.tensor(Frame.value, "value", call.values);
      return [staging.output(Frame.output, call.outputDims, target)];
    },
  });
  return output as Tensor;
}

export function* weightedSumGradients(
  engine: Engine,
  call: Sizes,
  gradient: Tensor,
): Steps<WeightedSumGradients> {
  const [weightsGradient, valueGradient] = yield* variantSteps(engine, {
    ...SLOTS,
    ...call,
    cost: 2 * call.cost,
    kernel: VariantsKernel.weightedSumBackward,
    stage(staging) {
      staging.tensor(Frame.weights, "weights", call.given);
      staging.tensor(Frame.value, "value", call.values);
      staging.tensor(Frame.outputGradient, "outputGradient", gradient);
      return [
        staging.output(Frame.weightsGradient, call.given.dims, undefined),
        staging.output(Frame.valueGradient, call.values.dims, undefined),
      ];
    },
  });
  return { weightsGradient: weightsGradient as Tensor, valueGradient: valueGradient as Tensor };
}
