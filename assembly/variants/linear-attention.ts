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
// Items: part of the columns of a head's state, through all tokens, whose rows are made ready as they come (chunk.ts);
// normalised, once all of those are done, rows of the output.

import { storeLanes } from "../blocks/lanes";
import { PART, tilesOf } from "../tiles";
import { chunkBytes, describeChunk, fillQueries, fillTaken, putOutputs } from "./chunk";
import { passDelta, Rule } from "./delta";
import { LinearAttentionFrame } from "./frame";
import { outputRow } from "./prepare";
import { PART_COLUMNS, readAll, Recurrence, takeAll, takeAndRead, TOKENS } from "./recurrence";
import {
  isDeltaBackward,
  keySize,
  layOutSequences,
  Sequences,
  stateColumns,
  valueSize,
} from "./sequences";
import { packState, unpackState } from "./state";

/** Rows of the output that an item finishes. */
export const FINISH_ROWS: i32 = 128;

const SEQUENCES_BYTES: usize = 64;
const RECURRENCE_BYTES: usize = 128;

/** Of a part, forward or backward. */
// @ts-ignore: decorator
@inline
function stateBytes(frame: LinearAttentionFrame): f64 {
  return <f64>max(keySize(frame), valueSize(frame)) * <f64>(PART_COLUMNS << 2);
}

/** Of one thread: addresses, the part of a state, and rows of its tokens. */
// @ts-ignore: decorator
@inline
export function threadBytes(frame: LinearAttentionFrame): f64 {
  return <f64>(SEQUENCES_BYTES + RECURRENCE_BYTES) + stateBytes(frame) + chunkBytes(frame);
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
  const finish = frame.normalised ? tilesOf(outputRows(frame), FINISH_ROWS) : 0;
  return <f64>forwardItems(frame) + <f64>finish;
}

export function linearAttentionReady(frame: LinearAttentionFrame, item: i32): i32 {
  const passed = forwardItems(frame);
  return item < passed ? 0 : passed;
}

export function linearAttentionRun(
  frame: LinearAttentionFrame,
  item: i32,
  thread: i32,
  from: i32,
): i32 {
  const sequences = sequencesOf(frame, thread);
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
  r.head = item / parts(frame);
  r.first = (item % parts(frame)) * PART_COLUMNS;
  describeChunk(frame, r, r.state + <usize>stateBytes(frame));
  if (isDeltaBackward(frame)) {
    const token = <usize>(r.head * frame.keys + from) * <usize>valueSize(frame);
    r.beside = sequences.errors + ((token + <usize>r.first) << 2);
    r.besideStep = (<usize>valueSize(frame)) << 2;
  }
  const count = stateColumns(frame);
  const size = <usize>(frame.headSize * count);
  const matrix = (<usize>r.head * size) << 2;
  if (!from) packState(r, frame.state ? frame.state + matrix : 0, count, 1, r.first, count);
  const next = pass(frame, sequences, r, from);
  if (!next && frame.finalState)
    unpackState(r, frame.finalState + matrix, count, 1, r.first, count);
  return next;
}

/** From step `from`: tokens that are taken in and read or, not causal, all taken in and then all read. */
function pass(frame: LinearAttentionFrame, s: Sequences, r: Recurrence, from: i32): i32 {
  const taken = frame.keys;
  const end = taken + (frame.causal ? 0 : frame.queries);
  const stop = stopOf(r, from, end);
  for (let t = from; t < stop;) {
    const to = chunkEnd(t, stop, taken);
    if (t >= taken) {
      fillQueries(frame, r, t - taken, to - taken);
      readAll(r, 0, to - t);
      putOutputs(frame, s, r, t - taken, to - taken);
    } else {
      fillTaken(frame, r, t, to);
      if (!frame.causal) takeAll(r, 0, to - t);
      else {
        fillQueries(frame, r, t, to);
        if (frame.delta) passDelta(r, 0, to - t, Rule.delta);
        else takeAndRead(r, 0, to - t);
        putOutputs(frame, s, r, t, to);
      }
      if (r.beside) r.beside += <usize>(to - t) * r.besideStep;
    }
    t = to;
  }
  return stop < end ? stop : 0;
}

/** Where a piece of some milliseconds stops. */
export function stopOf(r: Recurrence, from: i32, end: i32): i32 {
  const cost = <i64>r.depth * r.panels * 8 * (r.readers + r.writers);
  const count = (<i32>min(max(PART / max(cost, 1), <i64>TOKENS), <i64>(1 << 30))) & ~(TOKENS - 1);
  return <i32>min(<i64>from + count, <i64>end);
}

/** The end of a chunk: it does not reach over the end of those that are taken in. */
// @ts-ignore: decorator
@inline
export function chunkEnd(t: i32, stop: i32, taken: i32): i32 {
  return t < taken ? min(min(t + TOKENS, stop), taken) : min(t + TOKENS, stop);
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
    const sum = load<f32>(source + ((<usize>frame.valueSize) << 2)) + frame.epsilon;
    const divisor = f32x4.splat(sum);
    let at: usize = 0;
    for (let left = frame.valueSize; left > 0; left -= 4) {
      storeLanes(target + at, f32x4.div(v128.load(source + at), divisor), left);
      at += 16;
    }
  }
}
