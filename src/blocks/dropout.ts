// dropout of a tensor's elements, which is its own gradient.

import { BlocksKernel } from "../../assembly/kinds";
import { DropoutFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable, Dropout } from "../attend/options";
import { checkDropout } from "../check/dropout";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { blockSteps } from "./module";

/** Options of `dropout`. */
export interface DropoutOptions extends Dropout {
  /** An integer from 0 to 2³¹ − 1: others give other random numbers under the same seed; 0 by default. */
  stream?: number | undefined;
  /** Added at the end: in the dims of x. */
  residual?: Tensor | undefined;
  /** Where to write the result: as many elements as x. It may be x or the residual. */
  out?: Float32Array | Tensor | undefined;
}

const fields = { probability: 1, seed: 1, stream: 1, residual: 1, out: 1 } as const;
const read = reader<DropoutOptions>(fields);
const readAsync = reader<DropoutOptions & Abortable>({ ...fields, signal: 1 });

/** Probability 0. */
const NOTHING = { dropped: 0, factor: 1, seedLow: 0, seedHigh: 0 };

/**
 * Sets elements of x to 0 with a probability, multiplies the others by 1 / (1 − probability) (Srivastava
 * et al. 2014), and adds a residual. The same seed and stream drop the same elements, wherever and by however
 * many threads: the gradient of x is `dropout` of the output's gradient.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function dropout(
  attention: Attention<"blocks">,
  x: Tensor,
  options: DropoutOptions,
): Tensor {
  const name = "dropout";
  return checkAttention(name, attention).run(name, (engine) =>
    dropoutSteps(engine, name, x, read(name, options)),
  );
}

/** `dropout` without holding the calling thread; see `attendAsync`. */
export function dropoutAsync(
  attention: Attention<"blocks">,
  x: Tensor,
  options: DropoutOptions & Abortable,
): Promise<Tensor> {
  const name = "dropoutAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...own } = readAsync(name, options);
    const input = checkTensor(name, "x", x);
    return { signal, steps: (engine) => dropoutSteps(engine, name, input, own) };
  });
}

/** `options` as they were read. */
export function* dropoutSteps(
  engine: Engine,
  operation: string,
  given: Tensor,
  { probability, seed, stream = 0, residual: addend, out: wanted }: DropoutOptions,
): Steps<Tensor> {
  const x = checkTensor(operation, "x", given);
  const checked = checkDropout(operation, { probability, seed }, "");
  const { dropped, factor, seedLow, seedHigh } = checked ?? NOTHING;
  if (!Number.isInteger(stream) || stream < 0 || stream >= 2 ** 31) {
    const expected = "an integer from 0 to 2³¹ − 1";
    throw new ArgumentError(operation, "stream", expected, describe(stream));
  }
  const residual = addend === undefined ? addend : checkTensor(operation, "residual", addend);
  if (residual) checkDimsOf(operation, "residual", residual, x.dims);
  const out = checkOut(operation, wanted, x.dims);
  const [result] = yield* blockSteps(engine, {
    operation,
    kernel: BlocksKernel.dropout,
    rows: 1,
    columns: elementsOf(x.dims),
    cost: 16,
    words: [
      [DropoutFrame.dropped, dropped],
      [DropoutFrame.seedLow, seedLow],
      [DropoutFrame.seedHigh, seedHigh],
      [DropoutFrame.stream, stream],
    ],
    floats: [[DropoutFrame.factor, factor]],
    scratch: true,
    stage(staging) {
      staging.tensor(DropoutFrame.input, "x", x);
      if (residual) staging.tensor(DropoutFrame.residual, "residual", residual);
      return [staging.output(DropoutFrame.result, x.dims, out)];
    },
  });
  return result as Tensor;
}
