// Linear attention: o = scale · φ(q)ᵀS, where each token moves the state S [D × Dv] first (recurrence.ts):
//
//   linear        S ← S + φ(k) vᵀ
//   gated         S ← e^g S + k vᵀ
//   delta         S ← S + β k (v − Sᵀk)ᵀ
//   gated_delta   S ← e^g S, then delta
//
// (ONNX LinearAttention-27; Katharopoulos et al. 2020; Yang et al. 2024), not causal: S of all tokens first.
// Normalised, o is divided by φ(q)·Σφ(k) + ε, the state's last column, which takes in 1 as value.
//
// Items, each kind once those before are done: rows made ready (prepare.ts); part of the columns of a head's
// state, through all tokens; rows of the output.

import { storeLanes } from "../blocks/lanes";
import { PART, tilesOf } from "../tiles";
import { passDelta, Rule } from "./delta";
import { LinearAttentionFrame } from "./frame";
import { outputRow, prepareItems, prepareRun } from "./prepare";
import {
  Gate,
  packState,
  readAll,
  Recurrence,
  takeAll,
  takeAndRead,
  unpackState,
} from "./recurrence";
import {
  hasWholeGate,
  isDeltaBackward,
  keySize,
  layOutSequences,
  Sequences,
  stateColumns,
  valueSize,
} from "./sequences";

/** Columns of the state that an item goes through all tokens with. */
export const PART_COLUMNS: i32 = 64;
/** Tokens that pass one panel after another. */
export const TOKENS: i32 = 32;
/** Rows of the output that an item finishes. */
export const FINISH_ROWS: i32 = 128;

const SEQUENCES_BYTES: usize = 64;
const RECURRENCE_BYTES: usize = 128;

/** Of one thread: addresses, and the part of a state. */
// @ts-ignore: decorator
@inline
export function threadBytes(frame: LinearAttentionFrame): f64 {
  const depth = max(keySize(frame), valueSize(frame));
  return <f64>(SEQUENCES_BYTES + RECURRENCE_BYTES) + <f64>depth * <f64>(PART_COLUMNS << 2);
}

export function linearAttentionScratchBytes(frame: LinearAttentionFrame): f64 {
  const shared = layOutSequences(frame, 0, changetype<Sequences>(0));
  return shared + <f64>frame.threads * threadBytes(frame);
}

/** The addresses of a call, in a thread's own scratch. */
export function sequencesOf(frame: LinearAttentionFrame, thread: i32): Sequences {
  const shared = layOutSequences(frame, 0, changetype<Sequences>(0));
  const mine = frame.scratch + <usize>(shared + <f64>thread * threadBytes(frame));
  const sequences = changetype<Sequences>(mine);
  layOutSequences(frame, frame.scratch, sequences);
  return sequences;
}

/** Behind them, with the state behind it. */
export function recurrenceOf(sequences: Sequences): Recurrence {
  const at = changetype<usize>(sequences) + SEQUENCES_BYTES;
  const r = changetype<Recurrence>(at);
  r.state = at + RECURRENCE_BYTES;
  return r;
}

/** Parts of a state's columns. */
// @ts-ignore: decorator
@inline
function parts(frame: LinearAttentionFrame): i32 {
  return tilesOf(stateColumns(frame), PART_COLUMNS);
}

export function forwardItems(frame: LinearAttentionFrame): i32 {
  return frame.batch * frame.valueHeads * parts(frame);
}

// @ts-ignore: decorator
@inline
function outputRows(frame: LinearAttentionFrame): i32 {
  return frame.batch * frame.heads * frame.queries;
}

export function linearAttentionItems(frame: LinearAttentionFrame): f64 {
  const finish = tilesOf(outputRows(frame), FINISH_ROWS);
  return <f64>prepareItems(frame) + <f64>forwardItems(frame) + <f64>finish;
}

export function linearAttentionReady(frame: LinearAttentionFrame, item: i32): i32 {
  const prepared = prepareItems(frame);
  if (item < prepared) return 0;
  const passed = prepared + forwardItems(frame);
  return item < passed ? prepared : passed;
}

export function linearAttentionRun(
  frame: LinearAttentionFrame,
  item: i32,
  thread: i32,
  from: i32,
): i32 {
  const sequences = sequencesOf(frame, thread);
  const prepared = prepareItems(frame);
  if (item < prepared) {
    prepareRun(frame, sequences, item);
    return 0;
  }
  item -= prepared;
  const passes = forwardItems(frame);
  if (item < passes) return forwardRun(frame, sequences, item, from);
  finish(frame, sequences, item - passes);
  return 0;
}

/** Some tokens of a part of one head's state, from `from` on; gives the one to go on from. */
export function forwardRun(
  frame: LinearAttentionFrame,
  sequences: Sequences,
  item: i32,
  from: i32,
): i32 {
  const r = recurrenceOf(sequences);
  const first = (item % parts(frame)) * PART_COLUMNS;
  const head = item / parts(frame);
  const count = stateColumns(frame);
  describe(frame, sequences, r, head, first);
  const size = <usize>(frame.headSize * count);
  const matrix = (<usize>head * size) << 2;
  if (!from) packState(r, frame.state ? frame.state + matrix : 0, count, 1, first, count);
  const next = pass(frame, r, from);
  if (!next && frame.finalState) unpackState(r, frame.finalState + matrix, count, 1, first, count);
  return next;
}

/** Where the numbers of head `head` of all batches lie, and its columns from `first` on. */
function describe(
  frame: LinearAttentionFrame,
  s: Sequences,
  r: Recurrence,
  head: i32,
  first: i32,
): void {
  const b = head / frame.valueHeads;
  const h = head % frame.valueHeads;
  const key = (<usize>keySize(frame)) << 2;
  const value = (<usize>valueSize(frame)) << 2;
  const column = (<usize>first) << 2;
  const queryHead = b * frame.queryHeads + (h * frame.queryHeads) / frame.valueHeads;
  const keyHead = b * frame.keyHeads + (h * frame.keyHeads) / frame.valueHeads;
  const outputHead = b * frame.heads + (h * frame.heads) / frame.valueHeads;
  r.depth = frame.headSize;
  r.panels = tilesOf(min(valueSize(frame) - first, PART_COLUMNS), 8);
  r.gate = frame.decaySize ? (hasWholeGate(frame) ? Gate.whole : Gate.rows) : Gate.none;
  r.readers = frame.heads / frame.valueHeads;
  r.writers = 1;
  r.query = s.queries + <usize>(queryHead * frame.queries) * key;
  r.queryStep = key;
  r.queryReader = <usize>frame.queries * key;
  r.key = s.keys + <usize>(keyHead * frame.keys) * key;
  r.keyStep = key;
  r.keyWriter = 0;
  r.value = s.values + <usize>(head * frame.keys) * value + column;
  r.valueStep = value;
  r.valueWriter = 0;
  r.decay = s.decays + <usize>(head * (frame.keys + 1)) * key;
  r.decayStep = key;
  r.output = s.outputs + <usize>(outputHead * frame.queries) * value + column;
  r.outputStep = value;
  r.outputReader = <usize>frame.queries * value;
  r.beta = s.betas + ((<usize>(head * frame.keys)) << 2);
  r.betaStep = 4;
  const errors = s.errors + <usize>(head * frame.keys) * value + column;
  r.beside = isDeltaBackward(frame) ? errors : 0;
  r.besideStep = value;
}

/** From step `from`: tokens that are taken in and read or, not causal, all taken in and then all read. */
export function pass(frame: LinearAttentionFrame, r: Recurrence, from: i32): i32 {
  const rule = frame.delta ? Rule.delta : Rule.plain;
  return passOf(r, from, frame.keys, frame.causal ? -1 : frame.queries, rule);
}

/** Takes in `taken` tokens and reads as many or, where `after` is not negative, so many after that. */
export function passOf(r: Recurrence, from: i32, taken: i32, after: i32, rule: i32): i32 {
  const cost = <i64>r.depth * r.panels * 8 * (r.readers + r.writers);
  const count = (<i32>min(max(PART / max(cost, 1), <i64>TOKENS), <i64>(1 << 30))) & ~(TOKENS - 1);
  const end = taken + max(after, 0);
  const stop = <i32>min(<i64>from + count, <i64>end);
  for (let t = from; t < stop;) {
    // A chunk does not reach over the end of those that are taken in.
    const to = t < taken ? min(min(t + TOKENS, stop), taken) : min(t + TOKENS, stop);
    if (t >= taken) readAll(r, t - taken, to - taken);
    else if (after >= 0) takeAll(r, t, to);
    else if (rule != Rule.plain) passDelta(r, t, to, rule);
    else takeAndRead(r, t, to);
    t = to;
  }
  return stop < end ? stop : 0;
}

/** Rows of the output, divided by their normaliser. */
function finish(frame: LinearAttentionFrame, s: Sequences, item: i32): void {
  const value = (<usize>valueSize(frame)) << 2;
  const end = min((item + 1) * FINISH_ROWS, outputRows(frame));
  for (let i = item * FINISH_ROWS; i < end; i++) {
    const t = i % frame.queries;
    const h = (i / frame.queries) % frame.heads;
    const b = i / frame.queries / frame.heads;
    const source = s.outputs + <usize>i * value;
    const target = outputRow(frame, frame.output, b, h, t);
    if (!frame.normalised) {
      memory.copy(target, source, (<usize>frame.valueSize) << 2);
      continue;
    }
    const sum = load<f32>(source + ((<usize>frame.valueSize) << 2)) + frame.epsilon;
    const divisor = f32x4.splat(sum);
    let at: usize = 0;
    for (let left = frame.valueSize; left > 0; left -= 4) {
      storeLanes(target + at, f32x4.div(v128.load(source + at), divisor), left);
      at += 16;
    }
  }
}
