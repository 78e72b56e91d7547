// Gradients of sparseAttend, additiveAttention and spanAttend: see assembly/variants/strip-backward.ts.

import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { additiveFields, checkAdditiveCall } from "./additive";
import { checkSpan, spanFields } from "./span";
import { checkCall, sparseFields } from "./sparse-attend";
import type {
  AdditiveBackwardOptions,
  AdditiveGradients,
  SpanBackwardOptions,
  SpanGradients,
  SparseBackwardOptions,
  SparseGradients,
  VariantPass,
  VariantTargets,
} from "./strip-gradients";
import { type BackwardCall, checkPass, stripBackwardSteps } from "./strip-pass";

const targets = { out: 1, accumulate: 1, scoreModGradient: 1, weightModGradient: 1 } as const;
const sparse = { ...sparseFields, ...targets } as const;
const additive = { ...additiveFields, ...targets } as const;
const span = { ...spanFields, ...targets } as const;
const readSparse = reader<SparseBackwardOptions>(sparse);
const readSparseAsync = reader<SparseBackwardOptions & Abortable>({ ...sparse, signal: 1 });
const readAdditive = reader<AdditiveBackwardOptions>(additive);
const readAdditiveAsync = reader<AdditiveBackwardOptions & Abortable>({ ...additive, signal: 1 });
const readSpan = reader<SpanBackwardOptions>(span);
const readSpanAsync = reader<SpanBackwardOptions & Abortable>({ ...span, signal: 1 });
const readPass = reader<VariantPass>(
  { query: 1, key: 1, value: 1, outputGradient: 1, weightsGradient: 1 },
  "{ query, key, value, outputGradient, weightsGradient? }",
);

/**
 * Gradients of `sparseAttend`: of query, key, value and of each head's α, and through returned weights where their
 * gradient is given. Scores are made anew by tiles of rows, so that memory grows with L + S.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function sparseAttendBackward(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: SparseBackwardOptions = {},
): SparseGradients {
  const name = "sparseAttendBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    stripBackwardSteps(engine, checkSparse(name, pass, readSparse(name, options))),
  ) as SparseGradients;
}

/** `sparseAttendBackward` without holding the calling thread; see `attendAsync`. */
export function sparseAttendBackwardAsync(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: SparseBackwardOptions & Abortable = {},
): Promise<SparseGradients> {
  const name = "sparseAttendBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readSparseAsync(name, options);
    const call = checkSparse(name, pass, given);
    return { signal, steps: (engine) => stripBackwardSteps(engine, call) };
  }) as Promise<SparseGradients>;
}

/**
 * Gradients of `additiveAttention`: of query, key, value, v and b, and through returned weights (a loss on an
 * alignment, a pointer network) where their gradient is given.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function additiveAttentionBackward(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: AdditiveBackwardOptions = {},
): AdditiveGradients {
  const name = "additiveAttentionBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    stripBackwardSteps(engine, checkAdditivePass(name, pass, readAdditive(name, options))),
  ) as AdditiveGradients;
}

/** `additiveAttentionBackward` without holding the calling thread; see `attendAsync`. */
export function additiveAttentionBackwardAsync(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: AdditiveBackwardOptions & Abortable = {},
): Promise<AdditiveGradients> {
  const name = "additiveAttentionBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAdditiveAsync(name, options);
    const call = checkAdditivePass(name, pass, given);
    return { signal, steps: (engine) => stripBackwardSteps(engine, call) };
  }) as Promise<AdditiveGradients>;
}

/**
 * Gradients of `spanAttend`: of query, key and value, and of each head's span.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function spanAttendBackward(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: SpanBackwardOptions,
): SpanGradients {
  const name = "spanAttendBackward";
  return checkAttention(name, attention).run(name, (engine) =>
    stripBackwardSteps(engine, checkSpanPass(name, pass, readSpan(name, options))),
  ) as SpanGradients;
}

/** `spanAttendBackward` without holding the calling thread; see `attendAsync`. */
export function spanAttendBackwardAsync(
  attention: Attention<"variants">,
  pass: VariantPass,
  options: SpanBackwardOptions & Abortable,
): Promise<SpanGradients> {
  const name = "spanAttendBackwardAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readSpanAsync(name, options);
    const call = checkSpanPass(name, pass, given);
    return { signal, steps: (engine) => stripBackwardSteps(engine, call) };
  }) as Promise<SpanGradients>;
}

function checkSparse(
  operation: string,
  given: VariantPass,
  options: SparseBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  const forward = forwardOf(options);
  const strip = checkCall(operation, [pass.query, pass.key, pass.value], forward);
  return checkPass(strip, pass, options);
}

/** The options of the forward pass. */
function forwardOf<Options extends VariantTargets>(options: Options) {
  const {
    out: _,
    accumulate: __,
    scoreModGradient: ___,
    weightModGradient: ____,
    ...forward
  } = options;
  return forward;
}

export function checkAdditivePass(
  operation: string,
  given: VariantPass,
  options: AdditiveBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  // logSumExp may stand as it did, and changes nothing.
  const forward = { ...forwardOf(options), logSumExp: undefined };
  const strip = checkAdditiveCall(operation, [pass.query, pass.key, pass.value], forward);
  return checkPass(strip, pass, options);
}

function checkSpanPass(
  operation: string,
  given: VariantPass,
  options: SpanBackwardOptions,
): BackwardCall {
  const pass = readPass(operation, given, "pass");
  const strip = checkSpan(operation, [pass.query, pass.key, pass.value], forwardOf(options));
  return checkPass(strip, pass, options);
}
