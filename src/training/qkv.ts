// Gradients of attendQkv: one tensor, which lies as that of the queries, keys and values.

import { type Attention, checkAttention } from "../attend/attention";
import type { AttendCall } from "../attend/forward";
import type { Abortable } from "../attend/options";
import { checkQkv, type QkvOptions, qkvFields } from "../attend/qkv";
import { reader } from "../check/names";
import { checkBoolean } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { checkOut, type Tensor } from "../tensor/tensor";
import { callBackward } from "./attend";
import { checkGiven, type PassedBack } from "./given";
import {
  type AttendGradients,
  type AttendPass,
  type GradientOptions,
  gradientFields,
  type Normalized,
  type NormalizedPass,
  passFields,
} from "./options";

type Inputs = "query" | "key" | "value";

/** What `attendQkv` was given and gave, and the gradients of what it gave. */
export interface QkvPass extends Omit<AttendPass, Inputs> {
  /** As `attendQkv` was given it. */
  readonly qkv: Tensor;
}

/** Of an `attendQkv` with a normalizer, whose output and logSumExp are not needed. */
export interface NormalizedQkvPass extends Omit<NormalizedPass, Inputs> {
  /** As `attendQkv` was given it. */
  readonly qkv: Tensor;
}

/** Options of `attendQkvBackward`: those of the `attendQkv` it goes back through, and which gradients. */
export interface QkvBackwardOptions extends Omit<QkvOptions, "out">, Omit<GradientOptions, "out"> {
  /** Where to write the gradient: as many elements as qkv has. */
  out?: Float32Array | Tensor | undefined;
}

/** What `attendQkvBackward` returns; what was not asked for is missing. */
export interface QkvGradients extends Omit<AttendGradients, `${Inputs}Gradient`> {
  /** In the dims of qkv, of queries, keys and values where they lie in it. */
  qkvGradient: Tensor;
}

const fields = { ...qkvFields, ...gradientFields } as const;
const readBackward = reader<QkvBackwardOptions>(fields);
const readBackwardAsync = reader<QkvBackwardOptions & Abortable>({ ...fields, signal: 1 });
const readPass = reader<QkvPass>(
  { qkv: 1, ...passFields },
  "{ qkv, output, logSumExp, outputGradient }",
);

/**
 * The gradient of `attendQkv`'s tensor, in its dims: the bits that `attendBackward` gives of the three apart. Read and
 * written by strides, in linear memory with no copy.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function attendQkvBackward(
  attention: Attention<"training">,
  pass: QkvPass,
  options?: QkvBackwardOptions,
): QkvGradients;
/** Of a pass with a `normalizer`. */
export function attendQkvBackward(
  attention: Attention<"training">,
  pass: NormalizedQkvPass,
  options: QkvBackwardOptions & Normalized,
): QkvGradients;
export function attendQkvBackward(
  attention: Attention<"training">,
  pass: QkvPass | NormalizedQkvPass,
  options: QkvBackwardOptions = {},
): QkvGradients {
  const name = "attendQkvBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    backward(engine, checkPass(name, pass, readBackward(name, options))),
  );
}

/** `attendQkvBackward` without holding the calling thread; see `attendAsync`. */
export function attendQkvBackwardAsync(
  attention: Attention<"training">,
  pass: QkvPass,
  options?: QkvBackwardOptions & Abortable,
): Promise<QkvGradients>;
/** Of a pass with a `normalizer`. */
export function attendQkvBackwardAsync(
  attention: Attention<"training">,
  pass: NormalizedQkvPass,
  options: QkvBackwardOptions & Normalized & Abortable,
): Promise<QkvGradients>;
export function attendQkvBackwardAsync(
  attention: Attention<"training">,
  pass: QkvPass | NormalizedQkvPass,
  options: QkvBackwardOptions & Abortable = {},
): Promise<QkvGradients> {
  const name = "attendQkvBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readBackwardAsync(name, options);
    const checked = checkPass(name, pass, read);
    const passed = checkGiven(checked.call, checked.passed);
    return { signal, steps: (engine) => backward(engine, { ...checked, passed }) };
  });
}

interface Pass {
  readonly call: AttendCall;
  readonly passed: PassedBack;
  readonly options: GradientOptions;
}

/** `options` as they were read. */
function checkPass(
  name: string,
  pass: QkvPass | NormalizedQkvPass,
  options: QkvBackwardOptions,
): Pass {
  const { qkv, ...passed } = readPass(name, pass as QkvPass, "pass");
  const { gradients, scoreModGradient, accumulate, out, ...forward } = options;
  const call = checkQkv(name, qkv, forward);
  checkBoolean(name, "accumulate", accumulate);
  if (accumulate && out === undefined) {
    throw new ArgumentError(name, "out", "what to accumulate to", describe(out));
  }
  const target = checkOut(name, out, call.inputs.query.dims);
  return {
    ...{ call, passed },
    options: {
      ...{ gradients, scoreModGradient, accumulate },
      out: target && { query: target },
    },
  };
}

function* backward(engine: Engine, { call, passed, options }: Pass): Steps<QkvGradients> {
  const all: Partial<AttendGradients> = yield* callBackward(engine, call, passed, options);
  const { queryGradient, keyGradient: _, valueGradient: __, ...asked } = all;
  return { qkvGradient: queryGradient as Tensor, ...asked };
}
