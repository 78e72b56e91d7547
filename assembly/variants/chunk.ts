// Linear attention's rows of some tokens of one head, made ready in the thread's scratch just before recurrence.ts takes
// and reads them: a copy of whole sequences would go through memory twice more (bench/NOTES.md). Rows are padded by
// zeros to a multiple of 8, T is TOKENS or as many as there are:
//
//   queries  [readers][T][D]     scale · φ(q)
//   keys     [T][D]              φ(k), 0 past a sequence's length
//   values   [T][columns]        v and, where it is normalised, a 1 behind it; 0 likewise
//   decays   [T][D], or [T][4] of one number; e^decay, 1 likewise
//   betas    [T]                 0 likewise
//   outputs  [readers][T][columns]   Sᵀq

import { storeLanes } from "../blocks/lanes";
import { rowAt } from "../strided";
import { LinearAttentionFrame } from "./frame";
import { copyRow, decayRow, expAll, mapRow, outputRow, partOfValue, stridesAt } from "./prepare";
import { Gate, PART_COLUMNS, Recurrence, TOKENS } from "./recurrence";
import { isBackward, keySize, lengthOf, Sequences, valueSize } from "./sequences";

// @ts-ignore: decorator
@inline
function tokensOf(frame: LinearAttentionFrame): i32 {
  return min(TOKENS, max(frame.queries, frame.keys));
}

// @ts-ignore: decorator
@inline
function readersOf(frame: LinearAttentionFrame): i32 {
  return frame.heads / frame.valueHeads;
}

/** Numbers of a token's decay: of all rows at once where the rule has no delta. */
// @ts-ignore: decorator
@inline
function decayColumns(frame: LinearAttentionFrame): i32 {
  if (!frame.decaySize) return 0;
  return frame.decaySize == 1 && !frame.delta ? 4 : keySize(frame);
}

export function chunkBytes(frame: LinearAttentionFrame): f64 {
  const key = <f64>keySize(frame);
  const reader = key + <f64>PART_COLUMNS;
  const token = <f64>readersOf(frame) * reader + reader + <f64>decayColumns(frame) + 1;
  return token * <f64>tokensOf(frame) * 4;
}

/** The part of a state that r.head and r.first say, whose tokens' rows lie at `at`. */
export function describeChunk(frame: LinearAttentionFrame, r: Recurrence, at: usize): void {
  const tokens = <usize>tokensOf(frame);
  const key = (<usize>keySize(frame)) << 2;
  const value: usize = PART_COLUMNS << 2;
  const decays = decayColumns(frame);
  r.depth = frame.headSize;
  r.panels = min(valueSize(frame) - r.first, PART_COLUMNS) >> 3;
  r.gate = !decays ? Gate.none : decays == 4 ? Gate.whole : Gate.rows;
  r.readers = readersOf(frame);
  r.writers = 1;
  r.query = at;
  r.queryStep = key;
  r.queryReader = tokens * key;
  r.key = r.query + <usize>r.readers * r.queryReader;
  r.keyStep = key;
  r.keyWriter = 0;
  r.value = r.key + tokens * key;
  r.valueStep = value;
  r.valueWriter = 0;
  r.output = r.value + tokens * value;
  r.outputStep = value;
  r.outputReader = tokens * value;
  r.decay = r.output + <usize>r.readers * r.outputReader;
  r.decayStep = (<usize>decays) << 2;
  r.beta = r.decay + tokens * r.decayStep;
  r.betaStep = 4;
  r.beside = 0;
}

/** What the tokens [from, to) are taken in with. */
export function fillTaken(frame: LinearAttentionFrame, r: Recurrence, from: i32, to: i32): void {
  const b = r.head / frame.valueHeads;
  const h = r.head % frame.valueHeads;
  const keyHead = (h * frame.keyHeads) / frame.valueHeads;
  const columns = r.panels << 3;
  const depth = keySize(frame);
  const decays = decayColumns(frame);
  const seen = lengthOf(frame, b);
  const keys = stridesAt(frame, offsetof<LinearAttentionFrame>("keyBatch"));
  const values = stridesAt(frame, offsetof<LinearAttentionFrame>("valueBatch"));
  const gates = stridesAt(frame, offsetof<LinearAttentionFrame>("decayBatch"));
  const betas = stridesAt(frame, offsetof<LinearAttentionFrame>("betaBatch"));
  for (let t = from; t < to; t++) {
    const at = <usize>(t - from);
    const there = t < seen;
    const key = r.key + at * r.keyStep;
    const value = r.value + at * r.valueStep;
    if (there) {
      mapRow(frame, rowAt(frame.key, keys, b, keyHead, t), key, 1);
      partOfValue(frame, rowAt(frame.value, values, b, h, t), r.first, columns, value);
    } else {
      copyRow(0, key, 0, depth);
      copyRow(0, value, 0, columns);
    }
    if (decays) {
      const decay = there ? rowAt(frame.decay, gates, b, h, t) : 0;
      decayRow(frame, decay, r.decay + at * r.decayStep, decays);
    }
    if (frame.delta) {
      const beta = there ? load<f32>(rowAt(frame.beta, betas, b, h, t)) : 0;
      store<f32>(r.beta + (at << 2), beta);
    }
  }
  if (decays) expAll(r.decay, (to - from) * decays);
}

/** What reads the state at [from, to). */
export function fillQueries(frame: LinearAttentionFrame, r: Recurrence, from: i32, to: i32): void {
  const b = r.head / frame.valueHeads;
  const h = ((r.head % frame.valueHeads) * frame.queryHeads) / frame.valueHeads;
  const strides = stridesAt(frame, offsetof<LinearAttentionFrame>("queryBatch"));
  for (let i = 0; i < r.readers; i++) {
    let target = r.query + <usize>i * r.queryReader;
    for (let t = from; t < to; t++) {
      mapRow(frame, rowAt(frame.query, strides, b, h + i, t), target, frame.scale);
      target += r.queryStep;
    }
  }
}

/** What [from, to) read goes to the output or, where it is still to be divided, to s. */
export function putOutputs(
  frame: LinearAttentionFrame,
  s: Sequences,
  r: Recurrence,
  from: i32,
  to: i32,
): void {
  // Gradients of the delta rules need none but the errors.
  if (isBackward(frame) && !frame.normalised) return;
  const b = r.head / frame.valueHeads;
  const columns = r.panels << 3;
  for (let i = 0; i < r.readers; i++) {
    const h = (r.head % frame.valueHeads) * r.readers + i;
    let source = r.output + <usize>i * r.outputReader;
    for (let t = from; t < to; t++) {
      if (frame.normalised) {
        const row = <usize>((b * frame.heads + h) * frame.queries + t) * <usize>valueSize(frame);
        copyRow(source, s.outputs + ((row + <usize>r.first) << 2), columns, columns);
      } else {
        const target = outputRow(frame, frame.output, b, h, t) + ((<usize>r.first) << 2);
        let at: usize = 0;
        for (let left = min(frame.valueSize - r.first, columns); left > 0; left -= 4) {
          storeLanes(target + at, v128.load(source + at), left);
          at += 16;
        }
      }
      source += r.outputStep;
    }
  }
}
