// The rows that sequences.ts and chunk.ts list, made of what the caller gave; φ(x) = elu(x) + 1, x + 1 from 0 on and
// e^x below (Katharopoulos et al. 2020). Of gradients, an item is some rows of one kind.

import { firstLanes, loadLanes } from "../blocks/lanes";
import { exp, expSixteen } from "../simd/exp";
import { rowAt, Strides } from "../strided";
import { tilesOf } from "../tiles";
import { LinearAttentionFrame } from "./frame";
import { isBackward, isDeltaBackward, keySize, lengthOf, Sequences, valueSize } from "./sequences";

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
  if (kind == Kind.decays) {
    const size = keySize(frame);
    const first = <usize>(item * ITEM_ROWS);
    expAll(s.decays + ((first * <usize>size) << 2), (end - item * ITEM_ROWS) * size);
  }
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
    partOfValue(frame, source, 0, valueSize(frame), target);
  } else if (kind == Kind.decays) {
    const strides = stridesAt(frame, offsetof<LinearAttentionFrame>("decayBatch"));
    const source = seen ? rowAt(frame.decay, strides, b, h, t) : 0;
    decayRow(frame, source, s.decays + at * key, keySize(frame));
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

/** Numbers of a row from `source` on, and zeros up to `padded`, a multiple of 4. */
export function copyRow(source: usize, target: usize, size: i32, padded: i32): void {
  const end = target + ((<usize>padded) << 2);
  for (; target < end; target += 16) {
    v128.store(target, size > 0 ? loadLanes(source, size) : f32x4.splat(0));
    source += 16;
    size -= 4;
  }
}

/** Columns of a value from `first` on, and behind the last one a 1 where it is normalised. */
export function partOfValue(
  frame: LinearAttentionFrame,
  source: usize,
  first: i32,
  columns: i32,
  target: usize,
): void {
  const size = frame.valueSize - first;
  copyRow(source + ((<usize>first) << 2), target, min(size, columns), columns);
  if (frame.normalised && size < columns) store<f32>(target + ((<usize>size) << 2), 1);
}

/** factor · φ(x), padded. */
export function mapRow(
  frame: LinearAttentionFrame,
  source: usize,
  target: usize,
  factor: f32,
): void {
  const by = f32x4.splat(factor);
  const end = target + ((<usize>keySize(frame)) << 2);
  let left = frame.headSize;
  for (; target < end; target += 16) {
    let x = f32x4.splat(0);
    if (left > 0) {
      x = loadLanes(source, left);
      if (frame.featureMap) x = feature(x);
      x = f32x4.mul(x, by);
      if (left < 4) x = firstLanes(x, left);
    }
    v128.store(target, x);
    source += 16;
    left -= 4;
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

/** What decays of a row are the exponentials of: the numbers at `source`, or 0. They end at 2¹²⁸, which is ∞. */
export function decayRow(
  frame: LinearAttentionFrame,
  source: usize,
  target: usize,
  columns: i32,
): void {
  const most = f32x4.splat(89);
  const zero = f32x4.splat(0);
  const end = target + ((<usize>columns) << 2);
  if (!source || frame.decaySize == 1) {
    const whole = source ? f32x4.pmin(v128.load32_splat(source), most) : zero;
    let left = columns == 4 ? 4 : frame.headSize;
    for (; target < end; target += 16) {
      v128.store(target, left > 0 ? whole : zero);
      left -= 4;
    }
    return;
  }
  let left = frame.headSize;
  for (; target < end; target += 16) {
    v128.store(target, left > 0 ? f32x4.pmin(loadLanes(source, left), most) : zero);
    source += 16;
    left -= 4;
  }
}

/** e^x of `count` floats, a multiple of 4. */
export function expAll(at: usize, count: i32): void {
  const zero = f32x4.splat(0);
  for (; count >= 16; count -= 16) {
    expSixteen(at, zero);
    at += 64;
  }
  for (; count > 0; count -= 4) {
    v128.store(at, exp(v128.load(at)));
    at += 16;
  }
}
