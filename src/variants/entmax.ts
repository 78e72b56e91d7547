// sparsemax, entmax and the other forms of a tensor, as softmax is of one, with their gradients.

import { SparseKind, VariantsKernel } from "../../assembly/kinds";
import { EntmaxFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import type { Normalizer } from "../attend/strategy";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { checkAlpha, type Form, forms, KNOWN } from "./forms";
import { type VariantCall, variantSteps, type Word } from "./module";

/** Options of `entmax` and its gradients. */
export interface EntmaxOptions {
  /** Greater than 1: 1.5 by default, 2 is sparsemax; towards 1 it is softmax. */
  alpha?: number | undefined;
  /** Instead of α: what `alphaEntmax`, `alphaNormmax` or `budget` made of one number. */
  normalizer?: Normalizer | undefined;
  /** Over which axis; −1 by default. */
  axis?: number | undefined;
  /** Where to write the result: as many elements as x. It may be x. */
  out?: Float32Array | Tensor | undefined;
}

/** What `entmaxBackward` returns. */
export interface EntmaxGradients {
  /** In the dims of x. */
  inputGradient: Tensor;
  /** Of α, or of the budget, over all rows. It has few digits near α = 1. */
  alphaGradient: number;
}

const fields = { alpha: 1, normalizer: 1, axis: 1, out: 1 } as const;
const read = reader<EntmaxOptions>(fields);
const readAsync = reader<EntmaxOptions & Abortable>({ ...fields, signal: 1 });

/**
 * α-entmax over one axis (Peters et al. 2019, "Sparse sequence-to-sequence models"): p = [(α − 1)·x − τ]₊ to the
 * power 1/(α − 1), τ such that Σ p = 1. Weights of what lies too far below the largest are exactly 0. −∞ is left
 * out, and a row of nothing else gives 0.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function entmax(
  attention: Attention<"variants">,
  x: Tensor,
  options: EntmaxOptions = {},
): Tensor {
  const name = "entmax";
  return checkAttention(name, attention).run(name, (engine) =>
    forward(engine, checkCall(name, x, read(name, options))),
  );
}

/** `entmax` without holding the calling thread; see `attendAsync`. */
export function entmaxAsync(
  attention: Attention<"variants">,
  x: Tensor,
  options: EntmaxOptions & Abortable = {},
): Promise<Tensor> {
  const name = "entmaxAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkCall(name, x, given);
    return { signal, steps: (engine) => forward(engine, call) };
  });
}

/**
 * Gradients of `entmax`: outputGradient and what entmax gave, in the same dims.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function entmaxBackward(
  attention: Attention<"variants">,
  outputGradient: Tensor,
  output: Tensor,
  options: EntmaxOptions = {},
): EntmaxGradients {
  const name = "entmaxBackward";
  return checkAttention(name, attention).run(name, (engine) => {
    const call = checkCall(name, output, read(name, options), "output");
    return backward(engine, call, checkGradient(name, outputGradient, call));
  });
}

/** `entmaxBackward` without holding the calling thread; see `attendAsync`. */
export function entmaxBackwardAsync(
  attention: Attention<"variants">,
  outputGradient: Tensor,
  output: Tensor,
  options: EntmaxOptions & Abortable = {},
): Promise<EntmaxGradients> {
  const name = "entmaxBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkCall(name, output, given, "output");
    const gradient = checkGradient(name, outputGradient, call);
    return { signal, steps: (engine) => backward(engine, call, gradient) };
  });
}

interface EntmaxCall {
  readonly operation: string;
  readonly x: Tensor;
  readonly argument: string;
  readonly out: Tensor | undefined;
  readonly rows: number;
  readonly words: readonly Word[];
  readonly floats: readonly Word[];
  readonly cost: number;
}

function checkCall(
  operation: string,
  x: unknown,
  { alpha, normalizer, axis: given = -1, out }: EntmaxOptions,
  argument = "x",
): EntmaxCall {
  const input = checkTensor(operation, argument, x);
  const { dims } = input;
  const rank = dims.length;
  if (!Number.isInteger(given) || given < -rank || given >= rank) {
    const expected = `an axis of ${argument}, ${-rank} to ${rank - 1}`;
    throw new ArgumentError(operation, "axis", expected, describe(given));
  }
  const axis = given < 0 ? given + rank : given;
  const rows = elementsOf(dims.slice(0, axis));
  const inner = elementsOf(dims.slice(axis + 1));
  const form = checkForm(operation, alpha, normalizer);
  return {
    operation,
    x: input,
    argument,
    out: checkOut(operation, out, dims),
    rows: rows * inner,
    words: [
      [Frame.rows, rows],
      [Frame.columns, dims[axis] as number],
      [Frame.inner, inner],
      [Frame.kind, form.kind],
    ],
    floats: [[Frame.alpha, form.alpha]],
    cost: elementsOf(dims) * 16,
  };
}

function checkForm(
  operation: string,
  alpha: unknown,
  normalizer: Normalizer | undefined,
): Form & { readonly alpha: number } {
  if (normalizer === undefined) {
    const given = alpha === undefined ? 1.5 : checkAlpha(operation, "alpha", alpha);
    return { kind: SparseKind.entmax, alpha: given };
  }
  if (alpha !== undefined) {
    throw new ArgumentError(operation, "alpha", "no value with a normalizer", describe(alpha));
  }
  const form = forms.get(normalizer);
  if (typeof form?.alpha === "number") return form as Form & { readonly alpha: number };
  const expected = `${KNOWN}, of one number`;
  throw new ArgumentError(operation, "normalizer", expected, describe(normalizer));
}

function checkGradient(operation: string, gradient: unknown, { x }: EntmaxCall): Tensor {
  const checked = checkTensor(operation, "outputGradient", gradient);
  checkDimsOf(operation, "outputGradient", checked, x.dims);
  return checked;
}

const SLOTS = { threadsSlot: Frame.threads, scratchSlot: Frame.scratch } as const;

function* forward(engine: Engine, call: EntmaxCall): Steps<Tensor> {
  const made: VariantCall = {
    ...SLOTS,
    ...call,
    kernel: VariantsKernel.entmax,
    stage(staging) {
      staging.tensor(Frame.input, call.argument, call.x);
      return [staging.output(Frame.result, call.x.dims, call.out)];
    },
  };
  return (yield* variantSteps(engine, made))[0] as Tensor;
}

function* backward(engine: Engine, call: EntmaxCall, gradient: Tensor): Steps<EntmaxGradients> {
  const [inputGradient, alphas] = yield* variantSteps(engine, {
    ...SLOTS,
    ...call,
    kernel: VariantsKernel.entmaxBackward,
    stage(staging) {
      staging.tensor(Frame.input, call.argument, call.x);
      staging.tensor(Frame.outputGradient, "outputGradient", gradient);
      return [
        staging.output(Frame.result, call.x.dims, call.out),
        staging.output(Frame.alphasGradient, [call.rows], undefined),
      ];
    },
  });
  let alphaGradient = 0;
  for (const one of (alphas as Tensor).data) alphaGradient += one;
  return { inputGradient: inputGradient as Tensor, alphaGradient };
}
