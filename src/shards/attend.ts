// A query over shards: all are asked at once, their states merged in key order whenever they came.

import { SPAN_KEYS } from "../../assembly/kinds";
import { kindOf, lengthOf } from "../arrays";
import { type Attention, checkAttention } from "../attend/attention";
import type { AttendState } from "../attend/options";
import { mergeSpansSteps, sinkState, stateLength } from "../attend/states";
import { checkBoolean } from "../check/values";
import { checkSignal } from "../run/steps";
import type { Tensor } from "../tensor/tensor";
import { askShard, type Question, together, WrongAnswer } from "./ask";
import { type MissingShard, readSharded, type ShardedOptions, type ShardedResult } from "./options";
import { arithmeticOf, type Place, placedOf, seenOf, spansOf } from "./place";
import { type Plan, planOf, queryLengthsOf } from "./plan";
import type { Shard } from "./shard";

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
  const asked = seenOf(plan, placed);
  const question = statesOf(plan);
  const settled = await together<Float32Array[] | Missed>(read.signal, (signal) =>
    asked.map((place) => {
      const answer = askShard(plan, place, question, signal);
      return read.allowMissing ? answer.catch(missed) : answer;
    }),
  );
  const missing = settled.flatMap((answer, index) =>
    answer instanceof Missed ? [missingOf(plan, asked[index] as Place, answer.error)] : [],
  );
  const states = settled.flatMap((answer) => (answer instanceof Missed ? [] : answer));
  const first = asked[0]?.first === 0 && plan.from === 0;
  const begun = first && !(settled[0] instanceof Missed);
  return { ...mergePlan(engine, plan, states, { begun, fused }), missing };
}

class Missed {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}
const missed = (error: unknown) => new Missed(error);

/** The result of a plan from the states of its spans in key order; `begun`: that of the first span is there. */
function mergePlan(
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

function missingOf(plan: Plan, place: Place, error: unknown): MissingShard {
  const { from, to } = spansOf(plan, place);
  const end = Math.min(to * SPAN_KEYS, place.first + place.keys);
  return { shard: place.index, from: from * SPAN_KEYS, to: end, error };
}

/** The states of a shard's spans. */
function statesOf({ query, shapes }: Plan): Question<Float32Array[]> {
  const length = stateLength(shapes);
  return {
    what: "the states",
    send: ({ shard }, options, signal) => shard.attend(query, options, signal),
    check(states, spans) {
      if (!Array.isArray(states) || states.length !== spans) throw new WrongAnswer(states);
      for (const state of states as unknown[]) {
        if (kindOf(state) !== "Float32Array" || lengthOf(state as Float32Array) !== length)
          throw new WrongAnswer(state);
      }
      return states as Float32Array[];
    },
  };
}
