// fusedLinear: a product with what follows it in a block.

import { ActivationKind, BlocksKernel } from "../../assembly/kinds";
import { ActivateFrame, FusedFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import { clearedFrame, type Engine } from "../instance/instance";
import { moduleOf } from "../instance/modules";
import { checkPrepared, type PreparedLinear } from "../linear/prepared";
import { Staging } from "../run/staging";
import { type Steps, threadsFor } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { type Activation, checkActivation } from "./activate";
import { blockSteps, blocksOf } from "./module";

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
 * and `activate` one after the other. Weights of `prepareQuantized` are multiplied first, and what follows
 * is a pass of its own.
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
  const prepared = checkPrepared(operation, given.prepared);
  prepared.block(engine, operation);
  const { inputSize: depth, outputSize: columns } = prepared;
  if (x.dims.at(-1) !== depth) {
    const expected = `[…, in] with in = ${depth}`;
    throw new ArgumentError(operation, "x.dims", expected, describe(x.dims));
  }
  const gating = gate === undefined ? gate : checkPrepared(operation, gate, "gate");
  gating?.block(engine, operation, "gate");
  if (gating && (gating.inputSize !== depth || gating.outputSize !== columns)) {
    const { inputSize, outputSize } = gating;
    const expected = `a weight from ${depth} to ${columns}, as prepared`;
    throw new ArgumentError(operation, "gate", expected, `one from ${inputSize} to ${outputSize}`);
  }
  const dims = [...x.dims.slice(0, -1), columns];
  const residual = addend === undefined ? addend : checkTensor(operation, "residual", addend);
  if (residual) checkDimsOf(operation, "residual", residual, dims);
  const out = checkOut(operation, wanted, dims);
  // After all that a caller's getters could have done.
  const weight = prepared.block(engine, operation);
  const gateWeight = gating?.block(engine, operation, "gate");
  if (weight.form || gateWeight?.form) {
    const product = { operation, x, dims, prepared, gate: gating };
    return yield* apartSteps(engine, product, { kind, residual, out });
  }

  const rows = elementsOf(dims) / columns;
  const threads = threadsFor(engine, rows * depth * columns * (gateWeight ? 2 : 1));
  const staging = new Staging(engine, operation, engine.concurrent || threads > 1);
  staging.tensor(FusedFrame.input, "x", x);
  staging.block(FusedFrame.packed, weight.address);
  if (gateWeight) {
    staging.block(FusedFrame.gate, gateWeight.address);
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
    yield staging.work({ module: number, kernel }, module.items(kernel, call), threads);
    return yield* staging.result(result);
  } finally {
    staging.release();
  }
}

interface Products {
  readonly operation: string;
  readonly x: Tensor;
  /** Of the result. */
  readonly dims: readonly number[];
  readonly prepared: PreparedLinear;
  readonly gate: PreparedLinear | undefined;
}

interface Following {
  readonly kind: ActivationKind;
  readonly residual: Tensor | undefined;
  readonly out: Tensor | undefined;
}

/** The same of weights that another module multiplies: products, then what follows them. */
function* apartSteps(
  engine: Engine,
  { operation, x, dims, prepared, gate }: Products,
  { kind, residual, out }: Following,
): Steps<Tensor> {
  const made: AllocatedTensor[] = [];
  function* product(weight: PreparedLinear): Steps<Tensor> {
    const target = new AllocatedTensor(engine.arena, dims);
    made.push(target);
    return yield* weight.apply(engine, operation, x, { out: target });
  }
  try {
    const input = yield* product(prepared);
    const gated = gate && (yield* product(gate));
    const [result] = yield* blockSteps(engine, {
      operation,
      kernel: BlocksKernel.activate,
      rows: 1,
      columns: elementsOf(dims),
      cost: 16,
      words: [[ActivateFrame.activation, kind]],
      scratch: true,
      stage(staging) {
        staging.tensor(ActivateFrame.input, "x", input);
        if (gated) staging.tensor(ActivateFrame.gate, "gate", gated);
        if (residual) staging.tensor(ActivateFrame.residual, "residual", residual);
        return [staging.output(ActivateFrame.result, dims, out)];
      },
    });
    return result as Tensor;
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}
