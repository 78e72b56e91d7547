// softmax and logSoftmax over an axis, and their gradients.

import { BlocksKernel } from "../../assembly/kinds";
import { BlockFrame, SoftmaxFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { checkAxis, partsOf } from "./axes";
import { blockSteps } from "./module";

/** Options of `softmax`, `logSoftmax` and their gradients. */
export interface SoftmaxOptions {
  /** The axis whose elements are normalised; −1, the last, by default. */
  axis?: number | undefined;
  /** Where to write the result: as many elements as it has. It may be an input. */
  out?: Float32Array | Tensor | undefined;
}

const read = reader<SoftmaxOptions>({ axis: 1, out: 1 });
const readAsync = reader<SoftmaxOptions & Abortable>({ axis: 1, out: 1, signal: 1 });

/**
 * e^(x − m) / Σ e^(x − m) over an axis, m its largest element. Where all are −Infinity the result is 0, as
 * a row of `attend` that may see no key.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function softmax(
  attention: Attention<"blocks">,
  x: Tensor,
  options: SoftmaxOptions = {},
): Tensor {
  return now({ name: "softmax", logarithmic: false }, attention, { x }, options);
}

/** `softmax` without holding the calling thread; see `attendAsync`. */
export function softmaxAsync(
  attention: Attention<"blocks">,
  x: Tensor,
  options: SoftmaxOptions & Abortable = {},
): Promise<Tensor> {
  return later({ name: "softmaxAsync", logarithmic: false }, attention, { x }, options);
}

/**
 * x − m − ln Σ e^(x − m) over an axis, m its largest element; where all are −Infinity they stay so.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function logSoftmax(
  attention: Attention<"blocks">,
  x: Tensor,
  options: SoftmaxOptions = {},
): Tensor {
  return now({ name: "logSoftmax", logarithmic: true }, attention, { x }, options);
}

/** `logSoftmax` without holding the calling thread; see `attendAsync`. */
export function logSoftmaxAsync(
  attention: Attention<"blocks">,
  x: Tensor,
  options: SoftmaxOptions & Abortable = {},
): Promise<Tensor> {
  return later({ name: "logSoftmaxAsync", logarithmic: true }, attention, { x }, options);
}

/**
 * The gradient of `softmax`'s x, from that of its output and the output: y · (dy − Σ dy·y).
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function softmaxBackward(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  output: Tensor,
  options: SoftmaxOptions = {},
): Tensor {
  const form = { name: "softmaxBackward", logarithmic: false };
  return now(form, attention, { x: output, outputGradient }, options);
}

/** `softmaxBackward` without holding the calling thread; see `attendAsync`. */
export function softmaxBackwardAsync(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  output: Tensor,
  options: SoftmaxOptions & Abortable = {},
): Promise<Tensor> {
  const form = { name: "softmaxBackwardAsync", logarithmic: false };
  return later(form, attention, { x: output, outputGradient }, options);
}

/**
 * The gradient of `logSoftmax`'s x, from that of its output and the output: dy − e^y · Σ dy.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function logSoftmaxBackward(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  output: Tensor,
  options: SoftmaxOptions = {},
): Tensor {
  const form = { name: "logSoftmaxBackward", logarithmic: true };
  return now(form, attention, { x: output, outputGradient }, options);
}

/** `logSoftmaxBackward` without holding the calling thread; see `attendAsync`. */
export function logSoftmaxBackwardAsync(
  attention: Attention<"blocks">,
  outputGradient: Tensor,
  output: Tensor,
  options: SoftmaxOptions & Abortable = {},
): Promise<Tensor> {
  const form = { name: "logSoftmaxBackwardAsync", logarithmic: true };
  return later(form, attention, { x: output, outputGradient }, options);
}

interface Form {
  readonly name: string;
  readonly logarithmic: boolean;
}

/** x, or for a backward pass the output. */
interface Given {
  readonly x: Tensor;
  readonly outputGradient?: Tensor;
}

function now(
  form: Form,
  attention: Attention<"blocks">,
  given: Given,
  options: SoftmaxOptions,
): Tensor {
  return checkAttention(form.name, attention).run(form.name, (engine) =>
    prepare(form, given, read(form.name, options))(engine),
  );
}

function later(
  form: Form,
  attention: Attention<"blocks">,
  given: Given,
  options: SoftmaxOptions & Abortable,
): Promise<Tensor> {
  return checkAttention(form.name, attention).runAsync(form.name, () => {
    const { signal, ...own } = readAsync(form.name, options);
    return { signal, steps: prepare(form, given, own) };
  });
}

function prepare(
  { name, logarithmic }: Form,
  given: Given,
  { axis: asked, out: wanted }: SoftmaxOptions,
): (engine: Engine) => Steps<Tensor> {
  const backward = "outputGradient" in given;
  const argument = backward ? "output" : "x";
  const x = checkTensor(name, argument, given.x);
  const axis = checkAxis(name, asked, x.dims, argument);
  const gradient = backward && checkTensor(name, "outputGradient", given.outputGradient);
  if (gradient) checkDimsOf(name, "outputGradient", gradient, x.dims);
  const out = checkOut(name, wanted, x.dims);
  const { outer, size, inner } = partsOf(x.dims, axis);
  return function* (engine) {
    const [result] = yield* blockSteps(engine, {
      operation: name,
      kernel: backward ? BlocksKernel.softmaxBackward : BlocksKernel.softmax,
      rows: inner ? outer : 0,
      columns: size,
      cost: 16 * inner,
      words: [
        [SoftmaxFrame.inner, inner],
        [SoftmaxFrame.logarithmic, logarithmic ? 1 : 0],
      ],
      scratch: !backward,
      stage(staging) {
        staging.tensor(BlockFrame.input, argument, x);
        if (gradient) staging.tensor(BlockFrame.outputGradient, "outputGradient", gradient);
        return [staging.output(BlockFrame.result, x.dims, out)];
      },
    });
    return result as Tensor;
  };
}
