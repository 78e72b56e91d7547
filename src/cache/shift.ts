// shift: tokens are dropped from the front of a sequence, so that a text without an end fits positions
// that have one.

import type { Attention } from "../attend/attention";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { writeRows } from "./append";
import { readRows, viewsOf } from "./read";
import { rotated } from "./rotary";
import type { CacheState } from "./state";

/** Options of `shift`. */
export interface ShiftOptions {
  /** Tokens at the front that stay where they are; 0 by default. */
  keep?: number | undefined;
  /** Tokens after them that are dropped. */
  drop: number;
}

export const readShift = reader<ShiftOptions>({ keep: 1, drop: 1 });

/** `options` as they were read. */
export function* shiftSteps(
  engine: Engine,
  attention: Attention,
  state: CacheState,
  id: number,
  { keep = 0, drop }: ShiftOptions,
): Steps<void> {
  const name = "shift";
  const { sizes } = state;
  const sequence = state.sequence(name, "sequence", id);
  if (sizes.window < Infinity) {
    const expected = "a cache without a window, which drops tokens by itself";
    throw new ArgumentError(name, "sequence", expected, `one of a window of ${sizes.window}`);
  }
  const { length } = sequence;
  const check = (argument: string, value: number, most: number) => {
    if (Number.isInteger(value) && value >= 0 && value <= most) return;
    throw new ArgumentError(name, argument, `an integer from 0 to ${most}`, describe(value));
  };
  check("keep", keep, length);
  check("drop", drop, length - keep);
  const count = length - keep - drop;
  const rows = yield* readRows(engine, name, sizes, sequence, [[keep + drop, length]]);
  const positions = sizes.rotary && new Array<number>(count).fill(-drop);
  // Cosine and sine have been multiplied by the factor once.
  const turning = { ...sizes, rotary: sizes.rotary && { ...sizes.rotary, attentionFactor: 1 } };
  const key = count
    ? rotated(name, attention, turning, rows.key, { layout: "BHLD", positions })
    : rows.key;
  const { keys, values } = viewsOf(sizes, count);
  const writes = count ? [{ sequence, from: keep, count, batch: 0, first: 0 }] : [];
  writeRows(engine, name, state, { ...rows, key, keys, values }, writes);
  state.cut(sequence, Math.ceil((length - drop) / sizes.pageSize));
  sequence.length -= drop;
  sequence.position -= drop;
}
