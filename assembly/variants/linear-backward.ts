// Gradients of linear attention. With R the gradient of the state S after a token, by the linear and gated rules
//
//   R ← e(next) · R + q doᵀ       backwards from the gradient of the last state
//   dq = S do     dk = R v     dv = Rᵀk     dS(first) = e · R
//   dg[t] = Σ over t′ ≥ t of q · dq − k · dk, and S · dS of the last state (Yang et al. 2024)
//
// which are recurrences like the forward one: dq reads Sᵀ by do, dv reads R by k, dk reads Rᵀ by v. Normalised,
// o = n/d: dn = do/d, and the column of the normaliser has dd = −(do · o)/d. Not causal, all is taken in first. By
// the delta rules v and R are what delta.ts makes of them, and dg[t] sums q · dq − β k · (R w + (e S) δ).
//
// Items: rows made ready; where it is normalised or by a delta rule the forward pass; normalised, rows of dn and dd;
// by a delta rule R through all tokens; the other recurrences, a part of a head's columns each; rows of the
// gradients.

import { loadLanes, storeLanes } from "../blocks/lanes";
import { madd, sumLanes } from "../simd/lanes";
import { tilesOf } from "../tiles";
import { passDelta, Rule } from "./delta";
import { finishGradientItems, finishGradients, sumAlong } from "./linear-gradients";
import { LinearAttentionFrame } from "./frame";
import {
  chunkEnd,
  FINISH_ROWS,
  forwardItems,
  forwardRun,
  recurrenceOf,
  sequencesOf,
  stopOf,
} from "./linear-attention";
import { outputRow, prepareItems, prepareRun } from "./prepare";
import {
  gateAll,
  Gate,
  PART_COLUMNS,
  readAll,
  Recurrence,
  takeAll,
  takeAndRead,
} from "./recurrence";
import { keySize, Sequences, stateColumns, valueSize } from "./sequences";
import { packState, unpackState } from "./state";

/** Which gradient a recurrence reads. */
enum Pass {
  query,
  key,
  value,
}

// @ts-ignore: decorator
@inline
function outputRows(frame: LinearAttentionFrame): i32 {
  return frame.batch * frame.heads * frame.queries;
}

// @ts-ignore: decorator
@inline
function keyParts(frame: LinearAttentionFrame): i32 {
  return tilesOf(frame.headSize, PART_COLUMNS);
}

// @ts-ignore: decorator
@inline
function valueParts(frame: LinearAttentionFrame): i32 {
  return tilesOf(stateColumns(frame), PART_COLUMNS);
}

// @ts-ignore: decorator
@inline
function headParts(frame: LinearAttentionFrame): i32 {
  return 2 * keyParts(frame) + (frame.delta ? 0 : valueParts(frame));
}

/** The first item after each kind, the kinds in order. */
function endOf(frame: LinearAttentionFrame, kind: i32): i32 {
  let end = prepareItems(frame);
  if (kind > 0 && (frame.normalised || frame.delta)) end += forwardItems(frame);
  if (kind > 1 && frame.normalised) end += tilesOf(outputRows(frame), FINISH_ROWS);
  if (kind > 2 && frame.delta) end += frame.batch * frame.valueHeads * valueParts(frame);
  if (kind > 3) end += frame.batch * frame.valueHeads * headParts(frame);
  return kind > 4 ? end + finishGradientItems(frame) : end;
}

export function linearBackwardItems(frame: LinearAttentionFrame): f64 {
  return <f64>endOf(frame, 5);
}

export function linearBackwardReady(frame: LinearAttentionFrame, item: i32): i32 {
  let before = 0;
  for (let kind = 0; kind < 5; kind++) {
    const end = endOf(frame, kind);
    if (item < end) return before;
    before = end;
  }
  return before;
}

export function linearBackwardRun(
  frame: LinearAttentionFrame,
  item: i32,
  thread: i32,
  from: i32,
): i32 {
  const s = sequencesOf(frame, thread);
  if (item < endOf(frame, 0)) {
    prepareRun(frame, s, item);
    return 0;
  }
  if (item < endOf(frame, 1)) return forwardRun(frame, s, item - endOf(frame, 0), from);
  if (item < endOf(frame, 2)) {
    normalisedGradients(frame, s, item - endOf(frame, 1));
    return 0;
  }
  if (item < endOf(frame, 3)) {
    item -= endOf(frame, 2);
    const parts = valueParts(frame);
    return passRun(frame, s, item / parts, Pass.value, (item % parts) * PART_COLUMNS, from);
  }
  if (item < endOf(frame, 4)) return partRun(frame, s, item - endOf(frame, 3), from);
  finishGradients(frame, s, recurrenceOf(s).state, item - endOf(frame, 4));
  return 0;
}

/** dn and dd of some rows. */
function normalisedGradients(frame: LinearAttentionFrame, s: Sequences, item: i32): void {
  const value = (<usize>valueSize(frame)) << 2;
  const last = (<usize>frame.valueSize) << 2;
  const end = min((item + 1) * FINISH_ROWS, outputRows(frame));
  for (let i = item * FINISH_ROWS; i < end; i++) {
    const t = i % frame.queries;
    const h = (i / frame.queries) % frame.heads;
    const gradient = outputRow(frame, frame.outputGradient, i / frame.queries / frame.heads, h, t);
    const output = s.outputs + <usize>i * value;
    const target = s.outputGradients + <usize>i * value;
    const divisor = f32x4.splat(load<f32>(output + last) + frame.epsilon);
    memory.fill(target, 0, value);
    let along = f32x4.splat(0);
    let at: usize = 0;
    for (let left = frame.valueSize; left > 0; left -= 4) {
      const g = f32x4.div(loadLanes(gradient + at, left), divisor);
      // The column of the normaliser is a lane that g is 0 in.
      along = madd(g, f32x4.div(loadLanes(output + at, left), divisor), along);
      storeLanes(target + at, g, left);
      at += 16;
    }
    store<f32>(target + last, -sumLanes(along));
  }
}

function partRun(frame: LinearAttentionFrame, s: Sequences, item: i32, from: i32): i32 {
  const head = item / headParts(frame);
  let part = item % headParts(frame);
  let pass = Pass.query;
  if (part >= keyParts(frame)) {
    part -= keyParts(frame);
    pass = Pass.key;
    if (part >= keyParts(frame)) {
      part -= keyParts(frame);
      pass = Pass.value;
    }
  }
  return passRun(frame, s, head, pass, part * PART_COLUMNS, from);
}

/** Some tokens of one recurrence's columns from `first` on, from token `from` on. */
function passRun(
  frame: LinearAttentionFrame,
  s: Sequences,
  head: i32,
  pass: i32,
  first: i32,
  from: i32,
): i32 {
  const r = recurrenceOf(s);
  const count = stateColumns(frame);
  const columns = pass == Pass.value ? count : frame.headSize;
  r.depth = pass == Pass.value ? frame.headSize : count;
  r.panels = tilesOf(min(columns - first, PART_COLUMNS), 8);
  r.gate = !frame.decaySize ? Gate.none : pass == Pass.value ? Gate.rows : Gate.columns;
  describe(frame, s, r, head, pass, first);
  const row = pass == Pass.value ? <usize>count : <usize>1;
  const column = pass == Pass.value ? <usize>1 : <usize>count;
  const matrix = (<usize>(head * frame.headSize * count)) << 2;
  const given = pass == Pass.query ? frame.state : frame.finalStateGradient;
  if (!from) packState(r, given ? given + matrix : 0, row, column, first, columns);
  const all = pass == Pass.query ? frame.keys : frame.queries;
  const rest = pass == Pass.query ? frame.queries : frame.keys;
  const next = passOf(r, from, all, frame.causal ? -1 : rest, ruleOf(frame, pass));
  if (next) return next;
  if (pass == Pass.query && frame.decaySize) {
    const along = s.along + ((<usize>(head * keySize(frame) + first)) << 2);
    sumAlong(frame, r, matrix, along, first);
  }
  if (pass == Pass.value && frame.stateGradient) {
    if (r.gate != Gate.none) gateAll(r, frame.keys);
    unpackState(r, frame.stateGradient + matrix, row, column, first, columns);
  }
  return 0;
}

/** Takes in `taken` tokens and reads as many or, where `after` is not negative, so many after that. */
function passOf(r: Recurrence, from: i32, taken: i32, after: i32, rule: i32): i32 {
  const end = taken + max(after, 0);
  const stop = stopOf(r, from, end);
  for (let t = from; t < stop;) {
    const to = chunkEnd(t, stop, taken);
    if (t >= taken) readAll(r, t - taken, to - taken);
    else if (after >= 0) takeAll(r, t, to);
    else if (rule != Rule.plain) passDelta(r, t, to, rule);
    else takeAndRead(r, t, to);
    t = to;
  }
  return stop < end ? stop : 0;
}

// @ts-ignore: decorator
@inline
function ruleOf(frame: LinearAttentionFrame, pass: i32): i32 {
  if (!frame.delta) return Rule.plain;
  if (pass == Pass.value) return Rule.errors;
  return pass == Pass.query ? Rule.queries : Rule.keys;
}

/** Where the numbers of head `head` of all batches lie; backwards the last token comes first. */
function describe(
  frame: LinearAttentionFrame,
  s: Sequences,
  r: Recurrence,
  head: i32,
  pass: i32,
  first: i32,
): void {
  const b = head / frame.valueHeads;
  const h = head % frame.valueHeads;
  const key = (<usize>keySize(frame)) << 2;
  const value = (<usize>valueSize(frame)) << 2;
  const column = (<usize>first) << 2;
  const group = frame.heads / frame.valueHeads;
  const outputHead = b * frame.heads + (h * frame.heads) / frame.valueHeads;
  const queryHead = b * frame.queryHeads + (h * frame.queryHeads) / frame.valueHeads;
  const keyHead = b * frame.keyHeads + (h * frame.keyHeads) / frame.valueHeads;
  const backwards = pass != Pass.query && frame.causal != 0;
  const last = backwards ? <usize>(frame.keys - 1) : 0;
  const keyStep = backwards ? <usize>0 - key : key;
  const valueStep = backwards ? <usize>0 - value : value;
  const queries = s.queries + (<usize>(queryHead * frame.queries) + last) * key;
  const keys = s.keys + (<usize>(keyHead * frame.keys) + last) * key;
  const token = <usize>(head * frame.keys) + last;
  // By a delta rule the state takes in errors by steps, where it takes in values by keys.
  const values = (frame.delta ? s.errors : s.values) + token * value;
  const steps = frame.delta ? s.steps + token * key : keys;
  const gradients = s.outputGradients + (<usize>(outputHead * frame.queries) + last) * value;
  const afterwards = backwards ? last + 1 : 0;
  r.decay = s.decays + (<usize>(head * (frame.keys + 1)) + afterwards) * key;
  if (pass != Pass.value) r.decay += column;
  r.decayStep = keyStep;
  r.readers = pass == Pass.query ? group : 1;
  r.writers = pass == Pass.query ? 1 : group;
  if (pass == Pass.query) {
    r.key = values;
    r.keyStep = valueStep;
    r.value = steps + column;
    r.valueStep = keyStep;
    r.second = s.valueGradients + token * value;
    r.secondStep = valueStep;
    r.beside = s.retrieved + token * key + column;
    r.besideStep = keyStep;
    r.query = gradients;
    r.queryStep = valueStep;
    r.queryReader = <usize>frame.queries * value;
    r.output = s.queryGradients + <usize>(outputHead * frame.queries) * key + column;
    r.outputStep = key;
    r.outputReader = <usize>frame.queries * key;
    return;
  }
  const wide = pass == Pass.value;
  r.key = wide ? queries : gradients;
  r.keyStep = wide ? keyStep : valueStep;
  r.keyWriter = <usize>frame.queries * (wide ? key : value);
  r.value = (wide ? gradients : queries) + column;
  r.valueStep = wide ? valueStep : keyStep;
  r.valueWriter = <usize>frame.queries * (wide ? value : key);
  r.query = wide ? keys : values;
  r.queryStep = wide ? keyStep : valueStep;
  const target = token * (wide ? value : key) + column;
  r.output = (wide ? s.valueGradients : s.keyGradients) + target;
  r.outputStep = wide ? valueStep : keyStep;
  r.second = wide ? steps : s.valueGradients + token * value;
  r.secondStep = wide ? keyStep : valueStep;
  r.beside = steps + column;
  r.besideStep = keyStep;
}
