// A query over shards: all are asked at once, their states merged in key order whenever they came.

import { SPAN_KEYS } from "../../assembly/kinds";
import { kindOf, lengthOf } from "../arrays";
import { type Attention, checkAttention } from "../attend/attention";
import type { AttendState } from "../attend/options";
import { mergeSpansSteps, sinkState, stateLength } from "../attend/states";
import { checkBoolean } from "../check/values";
import { ArgumentError, AttentionError, describe } from "../errors";
import { checkSignal, throwIfAborted } from "../run/steps";
import type { Tensor } from "../tensor/tensor";
import { type MissingShard, readSharded, type ShardedOptions, type ShardedResult } from "./options";
import { type KeySizes, optionsFor, type Plan, planOf, queryLengthsOf } from "./plan";
import type { Shard } from "./shard";

/** A shard failed or gave something that is no answer; `cause` is what it threw. */
export class ShardError extends AttentionError {}
Object.defineProperty(ShardError, "name", { value: "ShardError" });
Object.defineProperty(ShardError.prototype, "name", {
  value: "ShardError",
  configurable: true,
  writable: true,
});

/**
 * `attend` over keys and values that lie in shards, in key order: query [B, H, L, D], or as `layout` says.
 * The bits are those of one `attend` over all of them, for any number of shards. Each is sent the query
 * and answers with the states of its spans of 4096 keys; those that no row sees are not asked.
 *
 * @throws ArgumentError for options that shards cannot be asked for, and shards of other sizes; ShardError
 * for one that fails, unless `allowMissing`; `signal.reason`; MemoryError, DisposedError; all by
 * rejecting.
 */
export async function attendSharded(
  attention: Attention,
  query: Tensor,
  shards: readonly Shard[],
  options: ShardedOptions = {},
): Promise<ShardedResult> {
  const name = "attendSharded";
  const engine = checkAttention(name, attention);
  const read = readSharded(name, options);
  checkSignal(name, read.signal);
  checkBoolean(name, "allowMissing", read.allowMissing);
  checkBoolean(name, "allowMixed", read.allowMixed);
  const placed = placedOf(name, shards);
  const fused = arithmeticOf(name, placed, engine.fused, read.allowMixed);
  const plan = planOf(name, query, placed.sizes, read);
  const asked = placed.each.filter(({ first, keys }) => overlaps(plan, first, keys));
  const stop = new AbortController();
  const forward = () => stop.abort(read.signal?.reason);
  read.signal?.addEventListener("abort", forward, { once: true });
  // A shard need not listen to the signal.
  const aborted = new Promise<never>((_, reject) => {
    stop.signal.addEventListener("abort", () => reject(stop.signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  try {
    const answers = asked.map((place) => ask(plan, place, stop.signal));
    const all = read.allowMissing ? answers.map((answer) => answer.catch(missed)) : answers;
    const settled = await Promise.race([Promise.all<Float32Array[] | Missed>(all), aborted]);
    throwIfAborted(read.signal);
    const missing = settled.flatMap((answer, index) =>
      answer instanceof Missed ? [missingOf(plan, asked[index] as Place, answer.error)] : [],
    );
    const states = settled.flatMap((answer) => (answer instanceof Missed ? [] : answer));
    const first = asked[0]?.first === 0 && plan.from === 0;
    const begun = first && !(settled[0] instanceof Missed);
    return { ...mergePlan(engine, plan, states, { begun, fused }), missing };
  } finally {
    read.signal?.removeEventListener("abort", forward);
    stop.abort();
  }
}

class Missed {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}
const missed = (error: unknown) => new Missed(error);

/** The result of a plan from the states of its spans in key order; `begun`: that of the first span is there. */
export function mergePlan(
  attention: Attention,
  plan: Plan,
  states: readonly Float32Array[],
  { begun, fused }: { readonly begun: boolean; readonly fused: boolean },
): AttendState {
  const { operation, shapes, checked, out } = plan;
  const { sinks } = checked.scoring;
  const lengths = queryLengthsOf(plan);
  const all = sinks && !begun ? [sinkState(shapes, sinks, lengths), ...states] : states;
  const merged = { ...shapes, alone: shapes.keys <= SPAN_KEYS, fused };
  return attention.run(operation, (engine) => mergeSpansSteps(engine, operation, all, merged, out));
}

/** A shard, its number, and its first key among all. */
interface Place {
  readonly shard: Shard;
  readonly index: number;
  readonly first: number;
  readonly keys: number;
}

interface Placed {
  readonly each: readonly Place[];
  readonly sizes: KeySizes;
}

/** Where each shard's keys lie among all. @throws ArgumentError unless they fit together. */
function placedOf(operation: string, shards: unknown): Placed {
  if (!Array.isArray(shards) || !shards.length) {
    throw new ArgumentError(operation, "shards", "an array of at least one", describe(shards));
  }
  const each: Place[] = [];
  let first = 0;
  let lengths: number[] | undefined;
  for (const [index, shard] of (shards as readonly Shard[]).entries()) {
    if (typeof shard?.attend !== "function") {
      throw new ArgumentError(operation, `shards[${index}]`, "a shard", describe(shard));
    }
    const own = lengthsOf(operation, index, shard);
    const keys = typeof own === "number" ? own : Math.max(0, ...own);
    if (index < shards.length - 1 && keys % SPAN_KEYS) {
      const expected = `whole spans of ${SPAN_KEYS} keys in all shards but the last`;
      throw new ArgumentError(operation, `shards[${index}].keys`, expected, `${keys}`);
    }
    if (typeof own !== "number") lengths ??= own.map(() => first);
    if (lengths) lengths = joined(operation, index, lengths, own, first);
    each.push({ shard, index, first, keys });
    first += keys;
  }
  const { keyValueHeads, headSize, valueSize } = (each[0] as Place).shard;
  for (const { shard, index } of each) {
    for (const [name, size] of Object.entries({ keyValueHeads, headSize, valueSize })) {
      const own = shard[name as "headSize"];
      if (own === size && Number.isInteger(own) && own > 0) continue;
      const expected = `${size}, as of the first shard`;
      throw new ArgumentError(operation, `shards[${index}].${name}`, expected, describe(own));
    }
  }
  return { each, sizes: { keyValueHeads, headSize, valueSize, keys: first, lengths } };
}

function lengthsOf(operation: string, index: number, { keys }: Shard): number | readonly number[] {
  const numbers = typeof keys === "number" ? [keys] : Array.isArray(keys) ? [...keys] : [-1];
  if (numbers.every((count) => Number.isInteger(count) && count >= 0))
    return typeof keys === "number" ? keys : numbers;
  const expected = "a number of keys, or one for each batch";
  throw new ArgumentError(operation, `shards[${index}].keys`, expected, describe(keys));
}

/** Keys of each batch with those of a shard more, before which a batch has all its keys. */
function joined(
  operation: string,
  index: number,
  lengths: readonly number[],
  own: number | readonly number[],
  first: number,
): number[] {
  if (typeof own !== "number" && own.length !== lengths.length) {
    const expected = `one number for each of ${lengths.length} batches`;
    throw new ArgumentError(operation, `shards[${index}].keys`, expected, describe(own));
  }
  return lengths.map((length, b) => {
    const more = typeof own === "number" ? own : (own[b] as number);
    if (!more || length === first) return length + more;
    const expected = `0 for batch ${b}, which ends in a shard before, after ${length} keys`;
    throw new ArgumentError(operation, `shards[${index}].keys`, expected, `${more}`);
  });
}

/** Whether multiply-adds round once: as those of all shards do. */
function arithmeticOf(
  operation: string,
  { each }: Placed,
  fused: boolean,
  mixed: boolean | undefined,
): boolean {
  const word = (once: boolean) => (once ? "once" : "twice");
  const known = each.filter(({ shard }) => typeof shard.fused === "boolean");
  const first = known[0]?.shard.fused ?? fused;
  if (mixed) return fused;
  for (const { shard, index } of known) {
    // Of an engine whose own round once, those of a cache of few bits may not.
    if (shard.fused === first && (fused || !first)) continue;
    const expected = `multiply-adds that round ${word(fused && first)}, or allowMixed`;
    const received = word(shard.fused as boolean);
    throw new ArgumentError(operation, `shards[${index}].fused`, expected, received);
  }
  return first;
}

/** Spans of a shard's keys that are asked for, by their numbers in all. */
function spansOf({ from, to }: Plan, first: number, keys: number) {
  const start = first / SPAN_KEYS;
  const end = Math.ceil((first + keys) / SPAN_KEYS);
  return { from: Math.max(from, start), to: Math.min(to, end) };
}

function overlaps(plan: Plan, first: number, keys: number): boolean {
  const { from, to } = spansOf(plan, first, keys);
  return keys > 0 && from < to;
}

function missingOf(plan: Plan, { index, first, keys }: Place, error: unknown): MissingShard {
  const { from, to } = spansOf(plan, first, keys);
  return {
    shard: index,
    from: from * SPAN_KEYS,
    to: Math.min(to * SPAN_KEYS, first + keys),
    error,
  };
}

/** A shard's states, checked: what it is and where it lies is not known. */
async function ask(plan: Plan, place: Place, signal: AbortSignal): Promise<Float32Array[]> {
  const { shard, index, first, keys } = place;
  const spans = spansOf(plan, first, keys);
  const start = spans.from * SPAN_KEYS;
  const end = Math.min(spans.to * SPAN_KEYS, first + keys);
  const own = { from: (start - first) / SPAN_KEYS, to: Math.ceil((end - first) / SPAN_KEYS) };
  const failed = (received: string, cause?: unknown) => {
    const expected = `the states of keys ${start} to ${end}`;
    const error = new ShardError(plan.operation, `shards[${index}]`, expected, received);
    return cause === undefined ? error : Object.assign(error, { cause });
  };
  let states: unknown;
  try {
    const options = optionsFor(plan, start, end - start, own);
    states = await shard.attend(plan.query, options, signal);
  } catch (error) {
    throwIfAborted(signal);
    throw failed(
      error instanceof Error ? `${error.name}: ${error.message}` : describe(error),
      error,
    );
  }
  const length = stateLength(plan.shapes);
  const count = own.to - own.from;
  if (!Array.isArray(states) || states.length !== count) throw failed(describe(states));
  for (const state of states as unknown[]) {
    if (kindOf(state) !== "Float32Array" || lengthOf(state as Float32Array) !== length)
      throw failed(describe(state));
  }
  return states as Float32Array[];
}
