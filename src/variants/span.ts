// spanAttend: attend whose heads learn how far they look.

import { type Attention, checkAttention } from "../attend/attention";
import { callAttend } from "../attend/forward";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import type { Tensor } from "../tensor/tensor";
import {
  type AttendResult,
  attendCallOf,
  checkStrip,
  type Exactly,
  type Spans,
  type StripCall,
  type StripOptions,
  stripFields,
} from "./strip";

/** Options of `spanAttend`: those of `attend` but sinks and dropout. */
export interface SpanOptions extends StripOptions {
  /** z, of each head [H] or of all: keys that it sees in full, a number from 0. */
  spans: number | ArrayLike<number>;
  /** R: over how many keys more its weights fall to 0, from 1; 32 by default. */
  ramp?: number | undefined;
  /** As `attend`'s. */
  logSumExp?: boolean | undefined;
}

export const spanFields = { ...stripFields, spans: 1, ramp: 1, logSumExp: 1 } as const;
const read = reader<SpanOptions>(spanFields, "{ spans, … }");
const readAsync = reader<SpanOptions & Abortable>({ ...spanFields, signal: 1 }, "{ spans, … }");

const FARTHEST = 2 ** 24;

/**
 * `attend` with adaptive spans (Sukhbaatar et al. 2019, "Adaptive attention span in transformers"): the weight of a
 * key at a distance of x is multiplied by clamp((ramp + z − x)/ramp, 0, 1) and the row normalised, z the span of each
 * head, which `spanAttendBackward` gives a gradient for. Tiles of keys out of a head's reach cost nothing. Their loss
 * is the mean of the spans, so that a head keeps no more than it needs.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function spanAttend<const Options extends SpanOptions>(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: Exactly<Options, SpanOptions>,
): AttendResult<Options> {
  const name = "spanAttend";
  return checkAttention(name, attention).run(name, (engine) => {
    const call = checkSpan(name, [query, key, value], read(name, options));
    return callAttend(engine, attendCallOf(engine, call));
  }) as AttendResult<Options>;
}

/** `spanAttend` without holding the calling thread; see `attendAsync`. */
export function spanAttendAsync<const Options extends SpanOptions & Abortable>(
  attention: Attention<"variants">,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: Exactly<Options, SpanOptions & Abortable>,
): Promise<AttendResult<Options>> {
  const name = "spanAttendAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...given } = readAsync(name, options);
    const call = checkSpan(name, [query, key, value], given);
    return { signal, steps: (engine) => callAttend(engine, attendCallOf(engine, call)) };
  }) as Promise<AttendResult<Options>>;
}

export function checkSpan(
  operation: string,
  inputs: readonly [Tensor, Tensor, Tensor],
  { spans, ramp = 32, ...options }: SpanOptions,
): StripCall {
  return checkStrip(operation, inputs, options, ([heads]) => ({
    spans: checkSpans(operation, spans, ramp, heads),
  }));
}

function checkSpans(operation: string, spans: unknown, ramp: unknown, heads: number): Spans {
  const within = (value: unknown, least: number): value is number =>
    typeof value === "number" && value >= least && value <= FARTHEST;
  if (!within(ramp, 1)) {
    const expected = `a number from 1 to ${FARTHEST}`;
    throw new ArgumentError(operation, "ramp", expected, describe(ramp));
  }
  const numbers = typeof spans === "number" ? Array(heads).fill(spans) : numbersOf(spans, [heads]);
  if (!numbers?.every((span: unknown) => within(span, 0))) {
    const expected = `a number from 0 to ${FARTHEST}, or ${heads}, one for each head`;
    throw new ArgumentError(operation, "spans", expected, describe(spans));
  }
  return { each: Float32Array.from(numbers), ramp };
}
