// The rows that sequences.ts lists, made of what the caller gave; φ(x) = elu(x) + 1, x + 1 from 0 on and e^x below
// (Katharopoulos et al. 2020). An item is some rows of one kind.

import { loadLanes, storeLanes } from "../blocks/lanes";
import { exp } from "../simd/exp";
import { rowAt, Strides } from "../strided";
import { tilesOf } from "../tiles";
import { LinearAttentionFrame } from "./frame";
import {
  hasWholeGate,
  isBackward,
  isDeltaBackward,
  keySize,
  lengthOf,
  Sequences,
  valueSize,
} from "./sequences";

const ITEM_ROWS: i32 = 128;

enum Kind {
  queries,
  keys,
  values,
  decays,
  betas,
  /** β φ(k), of the delta rule's gradients. */
  steps,
  outputGradients,
  count,
}

function headsOf(frame: LinearAttentionFrame, kind: i32): i32 {
  if (kind == Kind.queries) return frame.queryHeads;
  if (kind == Kind.keys) return frame.keyHeads;
  return kind == Kind.outputGradients ? frame.heads : frame.valueHeads;
}

function rowsOf(frame: LinearAttentionFrame, kind: i32): i32 {
  if (kind == Kind.decays) return frame.decaySize ? frame.keys + 1 : 0;
  if (kind == Kind.betas && !frame.delta) return 0;
  if (kind == Kind.steps && !isDeltaBackward(frame)) return 0;
  // Normalised, they follow from the outputs: see normalisedGradients.
  if (kind == Kind.outputGradients && (!isBackward(frame) || frame.normalised)) return 0;
  return kind == Kind.queries || kind == Kind.outputGradients ? frame.queries : frame.keys;
}

// @ts-ignore: decorator
@inline
function countOf(frame: LinearAttentionFrame, kind: i32): i32 {
  return frame.batch * headsOf(frame, kind) * rowsOf(frame, kind);
}

export function prepareItems(frame: LinearAttentionFrame): i32 {
  let items = 0;
  for (let kind = 0; kind < Kind.count; kind++) items += tilesOf(countOf(frame, kind), ITEM_ROWS);
  return items;
}

export function prepareRun(frame: LinearAttentionFrame, s: Sequences, item: i32): void {
  let kind = 0;
  for (; kind < Kind.count; kind++) {
    const items = tilesOf(countOf(frame, kind), ITEM_ROWS);
    if (item < items) break;
    item -= items;
  }
  const end = min((item + 1) * ITEM_ROWS, countOf(frame, kind));
  for (let i = item * ITEM_ROWS; i < end; i++) prepareRow(frame, s, kind, i);
}

function prepareRow(frame: LinearAttentionFrame, s: Sequences, kind: i32, i: i32): void {
  const rows = rowsOf(frame, kind);
  const heads = headsOf(frame, kind);
  const t = i % rows;
  const h = (i / rows) % heads;
  const b = i / rows / heads;
  const key = (<usize>keySize(frame)) << 2;
  const value = (<usize>valueSize(frame)) << 2;
  const at = <usize>i;
  const seen = t < lengthOf(frame, b);
  if (kind == Kind.queries) {
    const source = rowAt(
      frame.query,
      stridesAt(frame, offsetof<LinearAttentionFrame>("queryBatch")),
      b,
      h,
      t,
    );
    mapRow(frame, source, s.queries + at * key, frame.scale);
  } else if (kind == Kind.keys) {
    const target = s.keys + at * key;
    if (!seen) return memory.fill(target, 0, key);
    const source = rowAt(
      frame.key,
      stridesAt(frame, offsetof<LinearAttentionFrame>("keyBatch")),
      b,
      h,
      t,
    );
    mapRow(frame, source, target, 1);
  } else if (kind == Kind.values) {
    const target = s.values + at * value;
    if (!seen) return memory.fill(target, 0, value);
    const source = rowAt(
      frame.value,
      stridesAt(frame, offsetof<LinearAttentionFrame>("valueBatch")),
      b,
      h,
      t,
    );
    copyRow(source, target, frame.valueSize, valueSize(frame));
    if (frame.normalised) store<f32>(target + ((<usize>frame.valueSize) << 2), 1);
  } else if (kind == Kind.decays) {
    decayRow(frame, s.decays + at * key, b, h, seen ? t : -1);
  } else if (kind == Kind.betas) {
    const source = rowAt(
      frame.beta,
      stridesAt(frame, offsetof<LinearAttentionFrame>("betaBatch")),
      b,
      h,
      t,
    );
    store<f32>(s.betas + (at << 2), seen ? load<f32>(source) : 0);
  } else if (kind == Kind.steps) {
    const target = s.steps + at * key;
    if (!seen) return memory.fill(target, 0, key);
    const beta = stridesAt(frame, offsetof<LinearAttentionFrame>("betaBatch"));
    const source = rowAt(
      frame.key,
      stridesAt(frame, offsetof<LinearAttentionFrame>("keyBatch")),
      b,
      (h * frame.keyHeads) / frame.valueHeads,
      t,
    );
    mapRow(frame, source, target, load<f32>(rowAt(frame.beta, beta, b, h, t)));
  } else {
    copyRow(
      outputRow(frame, frame.outputGradient, b, h, t),
      s.outputGradients + at * value,
      frame.valueSize,
      valueSize(frame),
    );
  }
}

// @ts-ignore: decorator
@inline
export function stridesAt(frame: LinearAttentionFrame, offset: usize): Strides {
  return changetype<Strides>(changetype<usize>(frame) + offset);
}

/** A row of the output, or of its gradient, which lies alike. */
// @ts-ignore: decorator
@inline
export function outputRow(frame: LinearAttentionFrame, base: usize, b: i32, h: i32, t: i32): usize {
  return rowAt(base, stridesAt(frame, offsetof<LinearAttentionFrame>("outputBatch")), b, h, t);
}

function copyRow(source: usize, target: usize, size: i32, padded: i32): void {
  memory.copy(target, source, (<usize>size) << 2);
  memory.fill(target + ((<usize>size) << 2), 0, (<usize>(padded - size)) << 2);
}

/** factor · φ(x), padded. */
function mapRow(frame: LinearAttentionFrame, source: usize, target: usize, factor: f32): void {
  const by = f32x4.splat(factor);
  memory.fill(target, 0, (<usize>keySize(frame)) << 2);
  let at: usize = 0;
  for (let left = frame.headSize; left > 0; left -= 4) {
    let x = loadLanes(source + at, left);
    if (frame.featureMap) x = feature(x);
    storeLanes(target + at, f32x4.mul(x, by), left);
    at += 16;
  }
}

/** elu(x) + 1 */
function feature(x: v128): v128 {
  const positive = f32x4.gt(x, f32x4.splat(0));
  const below = exp(f32x4.pmin(x, f32x4.splat(0)));
  return v128.bitselect(f32x4.add(x, f32x4.splat(1)), below, positive);
}

/** Its slope. */
// @ts-ignore: decorator
@inline
export function featureSlope(x: v128): v128 {
  const below = exp(f32x4.pmin(x, f32x4.splat(0)));
  return v128.bitselect(f32x4.splat(1), below, f32x4.gt(x, f32x4.splat(0)));
}

/** e^decay of token t, or 1 for −1. The exponent's bits end at 2¹²⁸, which is ∞. */
function decayRow(frame: LinearAttentionFrame, target: usize, b: i32, h: i32, t: i32): void {
  const source = rowAt(
    frame.decay,
    stridesAt(frame, offsetof<LinearAttentionFrame>("decayBatch")),
    b,
    h,
    max(t, 0),
  );
  const one = f32x4.splat(1);
  const most = f32x4.splat(89);
  const bytes = hasWholeGate(frame) ? <usize>16 : (<usize>keySize(frame)) << 2;
  const whole = frame.decaySize == 1 && t >= 0;
  const shared = whole ? exp(f32x4.pmin(v128.load32_splat(source), most)) : one;
  let left = t < 0 ? 0 : frame.headSize;
  for (let at: usize = 0; at < bytes; at += 16) {
    let e = one;
    if (left > 0) e = whole ? shared : exp(f32x4.pmin(loadLanes(source + at, left), most));
    v128.store(target + at, e);
    left -= 4;
  }
}
