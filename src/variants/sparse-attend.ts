// sparseAttend: attend with α-entmax instead of softmax.

import { type Attention, checkAttention } from "../attend/attention";
import { callAttend } from "../attend/forward";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import type { Tensor } from "../tensor/tensor";
import {
  type AttendResult,
  attendCallOf,
  checkAlphas,
  checkStrip,
  type Exactly,
  type StripCall,
  type StripOptions,
  stripFields,
} from "./strip";

/** Options of `sparseAttend`: those of `attend` but sinks, dropout and logSumExp, which entmax does not have. */
export interface SparseAttendOptions extends StripOptions {
  /** Greater than 1, for all heads or one for each: 1.5 by default, 2 is sparsemax. */
  alpha?: number | ArrayLike<number> | undefined;
}

export const sparseFields = { ...stripFields, alpha: 1 } as const;
const read = reader<SparseAttendOptions>(sparseFields);
const readAsync = reader<SparseAttendOptions & Abortable>({ ...sparseFields, signal: 1 });

/**
 * entmax(scale · query·keyᵀ + bias) · value (Peters et al. 2019; Correia et al. 2019, "Adaptively sparse
 * transformers"): `attend` whose weights are exactly 0 where a key matters too little. Memory grows with L + S. A row
 * that sees no key gives 0, and a key of weight 0 does not take part, whatever its value holds.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function sparseAttend<const Options extends SparseAttendOptions = Record<never, never>>(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options?: Exactly<Options, SparseAttendOptions>,
): AttendResult<Options> {
  const name = "sparseAttend";
  return checkAttention(name, attention).run(name, (engine) => {
    const given = read(name, options === undefined ? {} : options);
    return callAttend(engine, attendCallOf(engine, checkCall(name, [query, key, value], given)));
  }) as AttendResult<Options>;
}

/** `sparseAttend` without holding the calling thread; see `attendAsync`. */
export function sparseAttendAsync<
  const Options extends SparseAttendOptions & Abortable = Record<never, never>,
>(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options?: Exactly<Options, SparseAttendOptions & Abortable>,
): Promise<AttendResult<Options>> {
  const name = "sparseAttendAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options === undefined ? {} : options);
    const call = checkCall(name, [query, key, value], given);
    return { signal, steps: (engine) => callAttend(engine, attendCallOf(engine, call)) };
  }) as Promise<AttendResult<Options>>;
}

export function checkCall(
  operation: string,
  inputs: readonly [Tensor, Tensor, Tensor],
  { alpha = 1.5, ...options }: SparseAttendOptions,
): StripCall {
  return checkStrip(operation, inputs, options, ([heads]) => ({
    alphas: checkAlphas(operation, alpha, heads),
  }));
}
