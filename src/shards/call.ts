// What a shard was asked, checked as a caller's options are: it may have come from anywhere.

import { SPAN_KEYS } from "../../assembly/kinds";
import { Sequence } from "../../build/frames";
import { type AttendCall, checkCall } from "../attend/forward";
import type { ScoreOptions } from "../attend/options";
import { reader } from "../check/names";
import { checkShapes, type Inputs, type Shapes } from "../check/shapes";
import { checkVisibility, type Visibility } from "../check/visibility";
import { ArgumentError, describe } from "../errors";
import type { Tensor } from "../tensor/tensor";
import type { ShardOptions } from "./shard";

export const readShardOptions = reader<ShardOptions>({
  spans: 1,
  scale: 1,
  causal: 1,
  queryOffset: 1,
  queryLengths: 1,
  keyLengths: 1,
  window: 1,
  softcap: 1,
  alibi: 1,
  sinks: 1,
  masks: 1,
});

const readSpans = reader<ShardOptions["spans"]>({ from: 1, to: 1 }, "{ from, to }");

/** The keys that are asked for of `rows`. @throws ArgumentError for spans that are not there. */
export function keysOf(operation: string, rows: number, { spans }: ShardOptions) {
  const { from, to } = readSpans(operation, spans, "spans");
  const count = Math.ceil(rows / SPAN_KEYS);
  const inside = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to;
  if (inside && to <= count) return { from: from * SPAN_KEYS, to: Math.min(to * SPAN_KEYS, rows) };
  const expected = `some of the ${count} spans that are there`;
  throw new ArgumentError(operation, "spans", expected, `${describe(from)} to ${describe(to)}`);
}

/** Sizes of what is asked for. */
export interface AskedSizes {
  readonly batch: number;
  readonly keyValueHeads: number;
  readonly keys: number;
  readonly headSize: number;
  readonly valueSize: number;
}

const NO_DATA = new Float32Array(0);

/** Shapes of a query [B, H, L, D], a checked tensor, on keys [B, Hkv, S, D]. */
export function shapesFor(operation: string, query: Tensor, sizes: AskedSizes): Shapes {
  const { batch, keyValueHeads, keys, headSize, valueSize } = sizes;
  const of = (size: number) => ({ data: NO_DATA, dims: [batch, keyValueHeads, keys, size] });
  const inputs = { query, key: of(headSize), value: of(valueSize) };
  return checkShapes(operation, inputs, "BHLD", {});
}

/** Options of attend that say what is done to the scores. */
export function scoresOf({ scale, window, softcap, alibi, sinks, masks }: ShardOptions) {
  return { scale, window, softcap, alibi, sinks, mask: masks } satisfies ScoreOptions;
}

/** Which keys the queries see; `there` are the keys of each batch, all of them by default. */
export function seenBy(
  operation: string,
  shapes: Shapes,
  { causal, queryOffset, queryLengths, keyLengths, window }: ShardOptions,
  there?: readonly number[],
): Visibility {
  const asked = { causal, queryOffset, queryLengths, keyLengths: keyLengths ?? there, window };
  const visibility = checkVisibility(operation, shapes, asked);
  for (const [b, count] of there?.entries() ?? []) {
    const keys = visibility.sequences[b * Sequence.words + Sequence.keys] as number;
    if (keys <= count) continue;
    const expected = `at most the ${count} keys that there are`;
    throw new ArgumentError(operation, `keyLengths[${b}]`, expected, `${keys}`);
  }
  return visibility;
}

export function callOf(
  operation: string,
  inputs: Inputs,
  shapes: Shapes,
  options: ShardOptions,
): AttendCall {
  const visibility = seenBy(operation, shapes, options);
  return checkCall(operation, inputs, shapes, visibility, scoresOf(options));
}
