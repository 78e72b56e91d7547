// additiveAttention: scores by a tanh instead of a product.

import { type Attention, checkAttention } from "../attend/attention";
import { callAttend } from "../attend/forward";
import type { Abortable, Layout } from "../attend/options";
import { reader } from "../check/names";
import type { Inputs } from "../check/shapes";
import { ArgumentError } from "../errors";
import type { Tensor } from "../tensor/tensor";
import {
  type AttendResult,
  attendCallOf,
  type Besides,
  checkAdditive,
  checkAlphas,
  checkStrip,
  checkStripOf,
  type Exactly,
  type StripCall,
  type StripOptions,
  stripFields,
} from "./strip";

/** Options of `additiveAttention`: those of `attend` but scale, sinks and dropout. */
export interface AdditiveOptions extends Omit<StripOptions, "scale"> {
  /** v, [D] or [H, D]; 1 by default (Keras's `use_scale=False`). */
  scoreWeight?: Float32Array | Tensor | undefined;
  /** b, as many; 0 by default. */
  scoreBias?: Float32Array | Tensor | undefined;
  /** Weights by α-entmax instead of softmax, see `sparseAttend`. */
  alpha?: number | ArrayLike<number> | undefined;
  /** As `attend`'s; not with `alpha`. */
  logSumExp?: boolean | undefined;
}

const { scale: _, ...shared } = stripFields;
export const additiveFields = {
  ...shared,
  scoreWeight: 1,
  scoreBias: 1,
  alpha: 1,
  logSumExp: 1,
} as const;
const read = reader<AdditiveOptions>(additiveFields);
const readAsync = reader<AdditiveOptions & Abortable>({ ...additiveFields, signal: 1 });

/**
 * softmax(Σ_d v[d]·tanh(query[i][d] + key[j][d] + b[d])) · value (Bahdanau et al. 2015, "Neural machine translation by
 * jointly learning to align and translate"; Keras's `AdditiveAttention`; Luong's concat). Query [B, H, L, D] and key
 * [B, Hkv, S, D] come projected, W·q and U·k, as `linear` does it once for all steps of a decoder. Everything that
 * `attend` does to scores is done to these. Computed by tiles: no [L, S, D] tensor, memory grows with L + S.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function additiveAttention<const Options extends AdditiveOptions = Record<never, never>>(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options?: Exactly<Options, AdditiveOptions>,
): AttendResult<Options> {
  const name = "additiveAttention";
  return checkAttention(name, attention).run(name, (engine) => {
    const given = read(name, options === undefined ? {} : options);
    return callAttend(
      engine,
      attendCallOf(engine, checkAdditiveCall(name, [query, key, value], given)),
    );
  }) as AttendResult<Options>;
}

/** `additiveAttention` without holding the calling thread; see `attendAsync`. */
export function additiveAttentionAsync<
  const Options extends AdditiveOptions & Abortable = Record<never, never>,
>(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options?: Exactly<Options, AdditiveOptions & Abortable>,
): Promise<AttendResult<Options>> {
  const name = "additiveAttentionAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options === undefined ? {} : options);
    const call = checkAdditiveCall(name, [query, key, value], given);
    return { signal, steps: (engine) => callAttend(engine, attendCallOf(engine, call)) };
  }) as Promise<AttendResult<Options>>;
}

export function checkAdditiveCall(
  operation: string,
  inputs: readonly [Tensor, Tensor, Tensor],
  given: AdditiveOptions,
): StripCall {
  const { options, besides } = checkAdditiveOptions(operation, given);
  return checkStrip(operation, inputs, options, besides);
}

/** The same with inputs of which only the dims are looked at. */
export function checkAdditiveCallOf(
  operation: string,
  inputs: Inputs,
  layout: Layout,
  given: AdditiveOptions,
): StripCall {
  const { options, besides } = checkAdditiveOptions(operation, given);
  return checkStripOf(operation, inputs, { ...options, layout }, besides);
}

function checkAdditiveOptions(
  operation: string,
  { scoreWeight, scoreBias, alpha, ...options }: AdditiveOptions,
) {
  if (alpha !== undefined && options.logSumExp)
    throw new ArgumentError(operation, "logSumExp", "no value with alpha", "true");
  const besides = (sizes: readonly [heads: number, size: number]): Besides => ({
    additive: checkAdditive(operation, { scoreWeight, scoreBias }, sizes),
    alphas: alpha === undefined ? undefined : checkAlphas(operation, alpha, sizes[0]),
  });
  return { options: { ...options, scale: 1 }, besides };
}
