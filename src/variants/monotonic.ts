// monotonicAttention: alignments that only move forward, step by step or all at once.

import { VariantsKernel } from "../../assembly/kinds";
import { MonotonicFrame as Frame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { checkAccumulate, checkBoolean, numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { checkDimsOf, checkOut, checkTensor, type Tensor } from "../tensor/tensor";
import { variantSteps, type Word } from "./module";

/** Options that say which alignment it is. */
export interface MonotonicForm {
  /**
   * `"recursive"` (default) and `"parallel"`: the expected alignment, by the same exact recurrence, since neither
   * has to divide; `"hard"`: all weight on the first key from the last one on that is chosen (p > ½).
   */
  mode?: "recursive" | "parallel" | "hard" | undefined;
  /** Whether what is given are numbers whose sigmoid is p: then 1 − p keeps its digits where p is near 1. */
  logits?: boolean | undefined;
  /** The alignment of the step before the first, [..., S]; all at the first key by default. */
  previous?: Tensor | undefined;
  /** Keys of each row of steps, from 0 to S; those past them are not chosen. */
  keyLengths?: ArrayLike<number> | undefined;
}

/** Options of `monotonicAttention`. */
export interface MonotonicOptions extends MonotonicForm {
  /** Where to write the alignment: as many elements as the probabilities. */
  out?: Float32Array | Tensor | undefined;
}

/** Options of `monotonicBackward`: those of the forward pass, and where gradients go. */
export interface MonotonicBackwardOptions extends MonotonicForm {
  /** Where to write the gradients: as many elements as the tensors have. */
  out?:
    | {
        /** Of the probabilities, or of the logits. */
        readonly probabilities?: Float32Array | Tensor | undefined;
        /** Of the alignment before the first step. */
        readonly previous?: Float32Array | Tensor | undefined;
      }
    | undefined;
  /** Whether to add the gradients to what is in `out`. */
  accumulate?: boolean | undefined;
}

/** What `monotonicAttention` was given and gave, and the gradient of that. */
export interface MonotonicPass {
  /** As `monotonicAttention` was given it. */
  readonly probabilities: Tensor;
  /** As `monotonicAttention` gave it. */
  readonly alignment: Tensor;
  /** In the dims of the alignment. */
  readonly alignmentGradient: Tensor;
}

/** What `monotonicBackward` returns. */
export interface MonotonicGradients {
  /** In the dims of the probabilities; with `logits` of those. */
  probabilitiesGradient: Tensor;
  /** In the dims of `previous`, where it was given. */
  previousGradient?: Tensor;
}

const form = { mode: 1, logits: 1, previous: 1, keyLengths: 1 } as const;
const read = reader<MonotonicOptions>({ ...form, out: 1 });
const readAsync = reader<MonotonicOptions & Abortable>({ ...form, out: 1, signal: 1 });
const backwardFields = { ...form, out: 1, accumulate: 1 } as const;
const readBackward = reader<MonotonicBackwardOptions>(backwardFields);
const readBackwardAsync = reader<MonotonicBackwardOptions & Abortable>({
  ...backwardFields,
  signal: 1,
});
const readOut = reader<NonNullable<MonotonicBackwardOptions["out"]>>({
  probabilities: 1,
  previous: 1,
});
const readPass = reader<MonotonicPass>(
  { probabilities: 1, alignment: 1, alignmentGradient: 1 },
  "{ probabilities, alignment, alignmentGradient }",
);

/**
 * Monotonic attention's alignment (Raffel et al. 2017, "Online and linear-time attention by enforcing monotonic
 * alignments"): step i goes on from where step i − 1 stood and stops at key j with probability p[i][j].
 * probabilities [..., L, S] → alignment [..., L, S]; a row sums to less than 1 where it may pass the end. By steps:
 * the last row of one call is `previous` of the next, for the same bits. `weightedSum` makes the output of it.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function monotonicAttention(
  attention: Attention<"variants">,
  probabilities: Tensor,
  options: MonotonicOptions = {},
): Tensor {
  const name = "monotonicAttention";
  return checkAttention(name, attention).run(name, (engine) =>
    monotonicSteps(engine, checkForward(name, probabilities, read(name, options))),
  );
}

/** `monotonicAttention` without holding the calling thread; see `attendAsync`. */
export function monotonicAttentionAsync(
  attention: Attention<"variants">,
  probabilities: Tensor,
  options: MonotonicOptions & Abortable = {},
): Promise<Tensor> {
  const name = "monotonicAttentionAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkForward(name, probabilities, given);
    return { signal, steps: (engine) => monotonicSteps(engine, call) };
  });
}

/**
 * Gradients of `monotonicAttention`, through all of its steps.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function monotonicBackward(
  attention: Attention<"variants">,
  pass: MonotonicPass,
  options: MonotonicBackwardOptions = {},
): MonotonicGradients {
  const name = "monotonicBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    monotonicGradients(engine, checkMonotonicBackward(name, pass, readBackward(name, options))),
  );
}

/** `monotonicBackward` without holding the calling thread; see `attendAsync`. */
export function monotonicBackwardAsync(
  attention: Attention<"variants">,
  pass: MonotonicPass,
  options: MonotonicBackwardOptions & Abortable = {},
): Promise<MonotonicGradients> {
  const name = "monotonicBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readBackwardAsync(name, options);
    const call = checkMonotonicBackward(name, pass, given);
    return { signal, steps: (engine) => monotonicGradients(engine, call) };
  });
}

type Form = ReturnType<typeof checkForm>;

function checkForm(operation: string, given: unknown, options: MonotonicForm) {
  const probabilities = checkTensor(operation, "probabilities", given);
  const { dims } = probabilities;
  if (dims.length < 2)
    throw new ArgumentError(operation, "probabilities.dims", "[..., L, S]", describe(dims));
  const { mode = "recursive", logits = false } = options;
  if (!["recursive", "parallel", "hard"].includes(mode)) {
    const expected = '"recursive", "parallel" or "hard"';
    throw new ArgumentError(operation, "mode", expected, describe(mode));
  }
  checkBoolean(operation, "logits", logits);
  const batch = dims.slice(0, -2);
  const [steps, keys] = dims.slice(-2) as [number, number];
  const rows = elementsOf(batch);
  const previousDims = [...batch, keys];
  const previous =
    options.previous === undefined
      ? undefined
      : checkTensor(operation, "previous", options.previous);
  if (previous) checkDimsOf(operation, "previous", previous, previousDims);
  const words: Word[] = [
    [Frame.rows, rows],
    [Frame.steps, steps],
    [Frame.keys, keys],
    [Frame.hard, mode === "hard" ? 1 : 0],
    [Frame.logits, logits ? 1 : 0],
  ];
  const keyLengths = lengthsOf(operation, options.keyLengths, rows, keys);
  const cost = rows * steps * keys * (logits ? 24 : 8);
  return { operation, probabilities, previous, keyLengths, hard: mode === "hard", words, cost };
}

function lengthsOf(
  operation: string,
  given: ArrayLike<number> | undefined,
  rows: number,
  keys: number,
): number[] | undefined {
  if (given === undefined) return undefined;
  const lengths = numbersOf(given, [rows]);
  if (lengths?.every((length) => Number.isInteger(length) && length >= 0 && length <= keys))
    return lengths;
  const expected = `an integer from 0 to ${keys} for each of ${rows} rows of steps`;
  throw new ArgumentError(operation, "keyLengths", expected, describe(given));
}

export function checkForward(
  operation: string,
  probabilities: unknown,
  { out, ...options }: MonotonicOptions,
) {
  const checked = checkForm(operation, probabilities, options);
  return { ...checked, out: checkOut(operation, out, checked.probabilities.dims) };
}

export function checkMonotonicBackward(
  operation: string,
  given: MonotonicPass,
  { out, accumulate, ...options }: MonotonicBackwardOptions,
) {
  const pass = readPass(operation, given, "pass");
  const checked = checkForm(operation, pass.probabilities, options);
  if (checked.hard) {
    const expected = '"recursive" or "parallel": a choice has no gradient';
    throw new ArgumentError(operation, "mode", expected, '"hard"');
  }
  const { dims } = checked.probabilities;
  const like = (name: "alignment" | "alignmentGradient") => {
    const tensor = checkTensor(operation, name, pass[name]);
    checkDimsOf(operation, name, tensor, dims);
    return tensor;
  };
  const [alignment, alignmentGradient] = [like("alignment"), like("alignmentGradient")];
  const shape = "{ probabilities?, previous? }";
  const targets = checkAccumulate(operation, out, accumulate, shape, readOut);
  const { previous } = checked;
  if (!previous && targets.previous !== undefined)
    throw new ArgumentError(operation, "out.previous", "no value without a previous", "one");
  return {
    ...checked,
    alignment,
    alignmentGradient,
    out: checkOut(operation, targets.probabilities, dims, "out.probabilities"),
    previousOut: previous && checkOut(operation, targets.previous, previous.dims, "out.previous"),
    added: accumulate === true,
  };
}

const SLOTS = { threadsSlot: Frame.threads, scratchSlot: Frame.scratch } as const;

function stageForm(
  staging: Parameters<Parameters<typeof variantSteps>[1]["stage"]>[0],
  { probabilities, previous, keyLengths }: Form,
): void {
  staging.tensor(Frame.probabilities, "probabilities", probabilities);
  if (previous) staging.tensor(Frame.previous, "previous", previous);
  if (keyLengths) staging.data(Frame.keyLengths, "keyLengths", keyLengths, keyLengths.length);
}

export function* monotonicSteps(
  engine: Engine,
  call: ReturnType<typeof checkForward>,
): Steps<Tensor> {
  const [alignment] = yield* variantSteps(engine, {
    ...SLOTS,
    ...call,
    kernel: VariantsKernel.monotonic,
    stage(staging) {
      stageForm(staging, call);
      return [staging.output(Frame.alignment, call.probabilities.dims, call.out)];
    },
  });
  return alignment as Tensor;
}

export function* monotonicGradients(
  engine: Engine,
  call: ReturnType<typeof checkMonotonicBackward>,
): Steps<MonotonicGradients> {
  const { probabilities, previous, added } = call;
  const [probabilitiesGradient, previousGradient] = yield* variantSteps(engine, {
    ...SLOTS,
    ...call,
    kernel: VariantsKernel.monotonicBackward,
    stage(staging) {
      stageForm(staging, call);
      staging.tensor(Frame.alignment, "alignment", call.alignment);
      staging.tensor(Frame.alignmentGradient, "alignmentGradient", call.alignmentGradient);
      const target = staging.output(
        Frame.probabilitiesGradient,
        probabilities.dims,
        call.out,
        "out.probabilities",
        added,
      );
      if (!previous) return [target];
      const { dims } = previous;
      const { previousOut } = call;
      const slot = Frame.previousGradient;
      return [target, staging.output(slot, dims, previousOut, "out.previous", added)];
    },
  });
  return {
    probabilitiesGradient: probabilitiesGradient as Tensor,
    ...(previousGradient && { previousGradient }),
  };
}
