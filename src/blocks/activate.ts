// activate: relu, gelu, silu and their gated forms, and their gradients.

import { ActivationKind, BlocksKernel } from "../../assembly/kinds";
import { ActivateFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { blockSteps } from "./module";

/**
 * max(x, 0); x·Φ(x) with the normal distribution's Φ, exact or in the form by tanh (Hendrycks and Gimpel
 * 2016, "GELUs"); x·σ(x), also called swish.
 */
export type Activation = "relu" | "gelu" | "gelu-tanh" | "silu";

/** Options of `activate`. */
export interface ActivateOptions {
  /**
   * In the dims of x: the result is x · activation(gate), which is called ReGLU, GEGLU and SwiGLU (Shazeer
   * 2020, "GLU Variants Improve Transformer").
   */
  gate?: Tensor | undefined;
  /** Where to write the result: as many elements as x. It may be x or the gate. */
  out?: Float32Array | Tensor | undefined;
}

/** Options of `activateBackward`. */
export interface ActivateBackwardOptions {
  /** As it was given to `activate`. */
  gate?: Tensor | undefined;
  /** Where to write the gradients: as many elements as x. */
  out?:
    | {
        /** Of x. */
        readonly input?: Float32Array | Tensor | undefined;
        /** Of the gate. */
        readonly gate?: Float32Array | Tensor | undefined;
      }
    | undefined;
}

/** What `activateBackward` returns. */
export interface ActivateGradients {
  /** In the dims of x. */
  inputGradient: Tensor;
  /** Where there is a gate, in its dims. */
  gateGradient?: Tensor;
}

const fields = { gate: 1, out: 1 } as const;
const read = reader<ActivateOptions>(fields);
const readAsync = reader<ActivateOptions & Abortable>({ ...fields, signal: 1 });
const readBackward = reader<ActivateBackwardOptions>(fields);
const readBackwardAsync = reader<ActivateBackwardOptions & Abortable>({ ...fields, signal: 1 });
const readOut = reader<NonNullable<ActivateBackwardOptions["out"]>>({ input: 1, gate: 1 });

/**
 * activation(x), or with a gate x · activation(gate), element by element.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function activate(
  attention: Attention<"blocks">,
  x: Tensor,
  activation: Activation,
  options: ActivateOptions = {},
): Tensor {
  const name = "activate";
  return checkAttention(name, attention).run(name, (engine) =>
    activateSteps(engine, checkActivate(name, x, activation, read(name, options))),
  );
}

/** `activate` without holding the calling thread; see `attendAsync`. */
export function activateAsync(
  attention: Attention<"blocks">,
  x: Tensor,
  activation: Activation,
  options: ActivateOptions & Abortable = {},
): Promise<Tensor> {
  const name = "activateAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...own } = readAsync(name, options);
    const call = checkActivate(name, x, activation, own);
    return { signal, steps: (engine) => activateSteps(engine, call) };
  });
}

/**
 * Gradients of `activate`'s x and gate: outputGradient and x in the same dims.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function activateBackward(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  x: Tensor,
  activation: Activation,
  options: ActivateBackwardOptions = {},
): ActivateGradients {
  const name = "activateBackward";
  return checkAttention(name, attention).run(name, (engine) => {
    const own = readBackward(name, options);
    return activateBackwardSteps(engine, checkPass(name, { outputGradient, x, activation }, own));
  });
}

/** `activateBackward` without holding the calling thread; see `attendAsync`. */
export function activateBackwardAsync(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  x: Tensor,
  activation: Activation,
  options: ActivateBackwardOptions & Abortable = {},
): Promise<ActivateGradients> {
  const name = "activateBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...own } = readBackwardAsync(name, options);
    const call = checkPass(name, { outputGradient, x, activation }, own);
    return { signal, steps: (engine) => activateBackwardSteps(engine, call) };
  });
}

const KINDS: ReadonlyMap<unknown, ActivationKind> = new Map([
  ["relu", ActivationKind.relu],
  ["gelu", ActivationKind.gelu],
  ["gelu-tanh", ActivationKind.geluTanh],
  ["silu", ActivationKind.silu],
]);

/** @throws ArgumentError for a name that is none. */
export function checkActivation(operation: string, given: unknown): ActivationKind {
  const kind = KINDS.get(given);
  if (kind !== undefined) return kind;
  const expected = '"relu", "gelu", "gelu-tanh" or "silu"';
  throw new ArgumentError(operation, "activation", expected, describe(given));
}

interface Activated {
  readonly operation: string;
  readonly x: Tensor;
  readonly kind: ActivationKind;
  readonly gate: Tensor | undefined;
}

function checkActivated(
  operation: string,
  given: unknown,
  activation: unknown,
  gate: unknown,
): Activated {
  const x = checkTensor(operation, "x", given);
  const kind = checkActivation(operation, activation);
  if (gate === undefined) return { operation, x, kind, gate };
  const checked = checkTensor(operation, "gate", gate);
  checkDimsOf(operation, "gate", checked, x.dims);
  return { operation, x, kind, gate: checked };
}

/** A forward pass, checked. */
export interface ActivateCall extends Activated {
  readonly out: Tensor | undefined;
}

export function checkActivate(
  operation: string,
  x: unknown,
  activation: unknown,
  { gate, out }: ActivateOptions,
): ActivateCall {
  const activated = checkActivated(operation, x, activation, gate);
  return { ...activated, out: checkOut(operation, out, activated.x.dims) };
}

export function* activateSteps(engine: Engine, call: ActivateCall): Steps<Tensor> {
  const { operation, x, kind, gate, out } = call;
  const [result] = yield* blockSteps(engine, {
    operation,
    kernel: BlocksKernel.activate,
    rows: 1,
    columns: elementsOf(x.dims),
    cost: 16,
    words: [[ActivateFrame.activation, kind]],
    scratch: true,
    stage(staging) {
      staging.tensor(ActivateFrame.input, "x", x);
      if (gate) staging.tensor(ActivateFrame.gate, "gate", gate);
      return [staging.output(ActivateFrame.result, x.dims, out)];
    },
  });
  return result as Tensor;
}

/** A backward pass, checked. */
export interface ActivateBackwardCall extends Activated {
  readonly outputGradient: Tensor;
  readonly out: { readonly input?: Tensor | undefined; readonly gate?: Tensor | undefined };
}

export function checkPass(
  operation: string,
  pass: { readonly outputGradient: unknown; readonly x: unknown; readonly activation: unknown },
  { gate, out: given }: ActivateBackwardOptions,
): ActivateBackwardCall {
  const activated = checkActivated(operation, pass.x, pass.activation, gate);
  const { dims } = activated.x;
  const outputGradient = checkTensor(operation, "outputGradient", pass.outputGradient);
  checkDimsOf(operation, "outputGradient", outputGradient, dims);
  const out = given === undefined ? {} : readOut(operation, given, "out");
  if (out.gate !== undefined && !activated.gate) {
    throw new ArgumentError(operation, "out.gate", "no value without a gate", describe(out.gate));
  }
  const input = checkOut(operation, out.input, dims, "out.input");
  const ofGate = checkOut(operation, out.gate, dims, "out.gate");
  return { ...activated, outputGradient, out: { input, gate: ofGate } };
}

export function* activateBackwardSteps(
  engine: Engine,
  call: ActivateBackwardCall,
): Steps<ActivateGradients> {
  const { operation, x, kind, gate, out, outputGradient } = call;
  const [inputGradient, gateGradient] = yield* blockSteps(engine, {
    operation,
    kernel: BlocksKernel.activateBackward,
    rows: 1,
    columns: elementsOf(x.dims),
    cost: 16,
    words: [[ActivateFrame.activation, kind]],
    scratch: true,
    stage(staging) {
      staging.tensor(ActivateFrame.input, "x", x);
      staging.tensor(ActivateFrame.outputGradient, "outputGradient", outputGradient);
      if (gate) staging.tensor(ActivateFrame.gate, "gate", gate);
      const outputs = [staging.output(ActivateFrame.result, x.dims, out.input, "out.input")];
      if (gate) {
        outputs.push(staging.output(ActivateFrame.gateGradient, x.dims, out.gate, "out.gate"));
      }
      return outputs;
    },
  });
  return {
    inputGradient: inputGradient as Tensor,
    ...(gateGradient && { gateGradient }),
  };
}
