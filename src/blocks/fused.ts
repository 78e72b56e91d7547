// fusedLinear: a product with what follows it in a block.

import { ActivationKind, BlocksKernel } from "../../assembly/kinds";
import { FusedFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import { clearedFrame, type Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import { checkPrepared, type PreparedLinear } from "../linear/prepared";
import { Staging } from "../run/staging";
import { type Steps, threadsFor } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { type Activation, checkActivation } from "./activate";
import { blocksOf } from "./module";

/** Options of `fusedLinear`. */
export interface FusedLinearOptions {
  /** Of the product, or with a gate of the gate's product; none by default. */
  activation?: Activation | undefined;
  /** Another weight of the same sizes: the result is (x·W + b) · activation(x·gate + its bias). */
  gate?: PreparedLinear | undefined;
  /** Added at the end: in the dims of the result. */
  residual?: Tensor | undefined;
  /** Where to write the result: as many elements as it has. It may be x or the residual. */
  out?: Float32Array | Tensor | undefined;
}

const fields = { activation: 1, gate: 1, residual: 1, out: 1 } as const;
const read = reader<FusedLinearOptions>(fields);
const readAsync = reader<FusedLinearOptions & Abortable>({ ...fields, signal: 1 });

/**
 * activation(x·W + b) + residual over the last axis, [..., in] → [..., out]; with a gate (x·W + b) ·
 * activation(x·V + c) + residual, as Llama's `up_proj` with its `gate_proj`. The same bits as `linear`
 * and `activate` one after the other.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function fusedLinear(
  attention: Attention<"blocks">,
  x: Tensor,
  prepared: PreparedLinear,
  options: FusedLinearOptions = {},
): Tensor {
  const name = "fusedLinear";
  return checkAttention(name, attention).run(name, (engine) =>
    fusedSteps(engine, name, { x, prepared }, read(name, options)),
  );
}

/** `fusedLinear` without holding the calling thread; see `attendAsync`. */
export function fusedLinearAsync(
  attention: Attention<"blocks">,
  x: Tensor,
  prepared: PreparedLinear,
  options: FusedLinearOptions & Abortable = {},
): Promise<Tensor> {
  const name = "fusedLinearAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...own } = readAsync(name, options);
    const input = checkTensor(name, "x", x);
    return { signal, steps: (engine) => fusedSteps(engine, name, { x: input, prepared }, own) };
  });
}

/** `options` as they were read. */
export function* fusedSteps(
  engine: Engine,
  operation: string,
  given: { readonly x: Tensor; readonly prepared: PreparedLinear },
  { activation, gate, residual: addend, out: wanted }: FusedLinearOptions,
): Steps<Tensor> {
  const module = blocksOf(engine, operation);
  const x = checkTensor(operation, "x", given.x);
  const kind =
    activation === undefined ? ActivationKind.none : checkActivation(operation, activation);
  const weight = checkPrepared(operation, given.prepared).parts(engine, operation);
  const { inputSize: depth, outputSize: columns } = weight;
  if (x.dims.at(-1) !== depth) {
    const expected = `[…, in] with in = ${depth}`;
    throw new ArgumentError(operation, "x.dims", expected, describe(x.dims));
  }
  const gating = gate === undefined ? gate : checkPrepared(operation, gate, "gate");
  const gateWeight = gating?.parts(engine, operation, "gate");
  if (gateWeight && (gateWeight.inputSize !== depth || gateWeight.outputSize !== columns)) {
    const { inputSize, outputSize } = gateWeight;
    const expected = `a weight from ${depth} to ${columns}, as prepared`;
    throw new ArgumentError(operation, "gate", expected, `one from ${inputSize} to ${outputSize}`);
  }
  const dims = [...x.dims.slice(0, -1), columns];
  const residual = addend === undefined ? addend : checkTensor(operation, "residual", addend);
  if (residual) checkDimsOf(operation, "residual", residual, dims);
  const out = checkOut(operation, wanted, dims);

  const rows = elementsOf(dims) / columns;
  const threads = threadsFor(engine, rows * depth * columns * (gateWeight ? 2 : 1));
  const staging = new Staging(engine, operation, engine.concurrent || threads > 1);
  staging.tensor(FusedFrame.input, "x", x);
  staging.block(FusedFrame.packed, weight.packed());
  if (gateWeight) {
    staging.block(FusedFrame.gate, gateWeight.packed());
    staging.reserve(FusedFrame.gateResult, elementsOf(dims) * 4);
  }
  if (residual) staging.tensor(FusedFrame.residual, "residual", residual);
  const result = staging.output(FusedFrame.result, dims, out);
  const words = clearedFrame(engine);
  words[FusedFrame.threads] = threads;
  words[FusedFrame.rows] = rows;
  words[FusedFrame.depth] = depth;
  words[FusedFrame.columns] = columns;
  words[FusedFrame.activation] = kind;
  const kernel = BlocksKernel.fusedLinear;
  staging.reserve(FusedFrame.scratch, module.scratchBytes(kernel, engine.frame));
  try {
    const call = yield* staging.beginSteps();
    const number = moduleOf(engine, operation, "blocks");
    yield staging.work({ module: number, kernel, items: module.items(kernel, call), threads });
    return yield* staging.result(result);
  } finally {
    staging.release();
  }
}
