// crossEntropy and its gradient, in one pass over the logits.

import { BlocksKernel } from "../../assembly/kinds";
import { LossFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable, Exactly, Returned } from "../attend/options";
import { reader } from "../check/names";
import { checkBoolean } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, checkVector, type Tensor } from "../tensor/tensor";
import { checkNumber } from "./axes";
import { type CheckedIds, checkIds, type Ids } from "./ids";
import { blockSteps } from "./module";

/** Options of `crossEntropy`; names and defaults as PyTorch's. */
export interface CrossEntropyOptions {
  /** A target that says a row does not count; −100 by default. */
  ignoreIndex?: number | undefined;
  /** The share of a target that all classes have alike, from 0 (default) to 1. */
  labelSmoothing?: number | undefined;
  /** The mean over the rows that count (default), their sum, or each row's loss. */
  reduction?: "mean" | "sum" | "none" | undefined;
  /** Also return the gradient of the logits. */
  gradient?: boolean | undefined;
  /** With `gradient`: that of the loss, a number or with `"none"` one of each row; 1 by default. */
  lossGradient?: number | Float32Array | Tensor | undefined;
  /** With `gradient`: where to write it, as many elements as the logits. It may be the logits. */
  out?: Float32Array | Tensor | undefined;
}

/** What `crossEntropy` returns, by what was asked for. */
export type CrossEntropyResult<Options = CrossEntropyOptions> = {
  /** A number, or with reduction `"none"` in the dims of the targets, 0 for rows that do not count. */
  loss: Options extends Record<"reduction", "none">
    ? Tensor
    : Options extends Record<"reduction", "mean" | "sum" | undefined>
      ? number
      : "reduction" extends keyof Options
        ? number | Tensor
        : number;
} & Returned<Options, "gradient">;

const fields = {
  ignoreIndex: 1,
  labelSmoothing: 1,
  reduction: 1,
  gradient: 1,
  lossGradient: 1,
  out: 1,
} as const;
const read = reader<CrossEntropyOptions>(fields);
const readAsync = reader<CrossEntropyOptions & Abortable>({ ...fields, signal: 1 });

/**
 * −ln softmax(logits)[target], with smoothed labels (Szegedy et al. 2016): logits [..., C], targets [...]
 * from 0 to C − 1. Where no row counts, the mean is NaN.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function crossEntropy<const Options extends CrossEntropyOptions = Record<never, never>>(
  attention: Attention<"blocks">,
  logits: Tensor,
  targets: Ids,
  options?: Exactly<Options, CrossEntropyOptions>,
): CrossEntropyResult<Options> {
  const name = "crossEntropy";
  return checkAttention(name, attention).run(name, (engine) => {
    const own = read(name, options === undefined ? {} : options);
    return steps(engine, check(name, logits, targets, own));
  }) as CrossEntropyResult<Options>;
}

/** `crossEntropy` without holding the calling thread; see `attendAsync`. */
export function crossEntropyAsync<
  const Options extends CrossEntropyOptions & Abortable = Record<never, never>,
>(
  attention: Attention<"blocks">,
  logits: Tensor,
  targets: Ids,
  options?: Exactly<Options, CrossEntropyOptions & Abortable>,
): Promise<CrossEntropyResult<Options>> {
  const name = "crossEntropyAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...own } = readAsync(name, options === undefined ? {} : options);
    const call = check(name, logits, targets, own);
    return { signal, steps: (engine) => steps(engine, call) };
  }) as Promise<CrossEntropyResult<Options>>;
}

interface LossCall {
  readonly operation: string;
  readonly logits: Tensor;
  readonly targets: CheckedIds;
  /** Rows that count. */
  readonly counted: number;
  readonly ignored: number;
  readonly smoothing: number;
  readonly reduction: "mean" | "sum" | "none";
  readonly gradient: boolean;
  /** Of all rows, and of each. */
  readonly factor: number;
  readonly lossGradients: Tensor | undefined;
  readonly out: Tensor | undefined;
}

function check(operation: string, given: Tensor, ids: Ids, options: CrossEntropyOptions): LossCall {
  const { ignoreIndex = -100, reduction = "mean", gradient = false, lossGradient = 1 } = options;
  const { labelSmoothing = 0 } = options;
  const logits = checkTensor(operation, "logits", given);
  const classes = logits.dims.at(-1) ?? 0;
  if (classes < 1) {
    const expected = "[..., C] with C from 1";
    throw new ArgumentError(operation, "logits.dims", expected, describe(logits.dims));
  }
  if (!Number.isInteger(ignoreIndex) || Math.abs(ignoreIndex) >= 2 ** 31) {
    throw new ArgumentError(operation, "ignoreIndex", "an integer", describe(ignoreIndex));
  }
  const targets = checkIds(operation, "targets", ids, classes, ignoreIndex);
  checkDimsOf(operation, "logits", logits, [...targets.dims, classes]);
  if (reduction !== "mean" && reduction !== "sum" && reduction !== "none") {
    const expected = '"mean", "sum" or "none"';
    throw new ArgumentError(operation, "reduction", expected, describe(reduction));
  }
  checkBoolean(operation, "gradient", gradient);
  for (const name of ["lossGradient", "out"] as const) {
    if (gradient || options[name] === undefined) continue;
    const expected = "no value without gradient: true";
    throw new ArgumentError(operation, name, expected, describe(options[name]));
  }
  const each = typeof lossGradient === "object";
  if (each && reduction !== "none") {
    const expected = 'a number, but with reduction "none"';
    throw new ArgumentError(operation, "lossGradient", expected, describe(lossGradient));
  }
  const counted = targets.numbers.filter((id) => id !== ignoreIndex).length;
  const all = each
    ? 1
    : checkNumber(operation, "lossGradient", lossGradient, [-Infinity, Infinity]);
  return {
    operation,
    logits,
    targets,
    counted,
    ignored: ignoreIndex,
    smoothing: checkNumber(operation, "labelSmoothing", labelSmoothing, [0, 1]),
    reduction,
    gradient,
    factor: reduction === "mean" ? all / counted : all,
    lossGradients: each
      ? checkVector(operation, "lossGradient", lossGradient, targets.numbers.length)
      : undefined,
    out: checkOut(operation, options.out, logits.dims),
  };
}

function* steps(engine: Engine, call: LossCall): Steps<CrossEntropyResult> {
  const { operation, logits, targets, lossGradients, reduction } = call;
  const [losses, gradient] = yield* blockSteps(engine, {
    operation,
    kernel: BlocksKernel.crossEntropy,
    rows: elementsOf(targets.dims),
    columns: logits.dims.at(-1) as number,
    cost: 16,
    words: [[LossFrame.ignored, call.ignored]],
    floats: [
      [LossFrame.smoothing, call.smoothing],
      [LossFrame.lossGradient, call.factor],
    ],
    scratch: true,
    stage(staging) {
      staging.tensor(LossFrame.input, "logits", logits);
      staging.data(LossFrame.targets, "targets", targets.numbers, targets.numbers.length);
      if (lossGradients) {
        staging.tensor(LossFrame.lossGradients, "lossGradient", lossGradients);
      }
      const outputs = [staging.output(LossFrame.losses, targets.dims, undefined, "loss")];
      if (call.gradient) {
        outputs.push(staging.output(LossFrame.result, logits.dims, call.out));
      }
      return outputs;
    },
  });
  return {
    loss: reduction === "none" ? (losses as Tensor) : reduced(call, losses as Tensor),
    ...(gradient && { gradient }),
  };
}

function reduced({ reduction, counted }: LossCall, { data }: Tensor): number {
  let sum = 0;
  for (const loss of data) sum += loss;
  return reduction === "mean" ? sum / counted : sum;
}
