// The last step of linear attention's gradients: rows of heads that share a query or a key are added up, φ′ is
// multiplied in, and the gradients of the decays are summed from the last token to the first, in float64.

import { loadLanes, storeLanes } from "../blocks/lanes";
import { rowAt } from "../strided";
import { tilesOf } from "../tiles";
import { LinearAttentionFrame } from "./frame";
import { FINISH_ROWS } from "./linear-attention";
import { featureSlope, stridesAt } from "./prepare";
import { keySize, lengthOf, Sequences, valueSize } from "./sequences";

enum Kind {
  queries,
  keys,
  values,
}

function headsOf(frame: LinearAttentionFrame, kind: i32): i32 {
  if (kind == Kind.queries) return frame.queryHeads;
  return kind == Kind.keys ? frame.keyHeads : frame.valueHeads;
}

// @ts-ignore: decorator
@inline
function rowsOf(frame: LinearAttentionFrame, kind: i32): i32 {
  return kind == Kind.queries ? frame.queries : frame.keys;
}

// @ts-ignore: decorator
@inline
function countOf(frame: LinearAttentionFrame, kind: i32): i32 {
  return frame.batch * headsOf(frame, kind) * rowsOf(frame, kind);
}

export function finishGradientItems(frame: LinearAttentionFrame): i32 {
  let items = frame.decaySize ? frame.batch * frame.valueHeads : 0;
  for (let kind = 0; kind < 3; kind++) items += tilesOf(countOf(frame, kind), FINISH_ROWS);
  return items;
}

/** `sums` is of keySize float64. */
export function finishGradients(
  frame: LinearAttentionFrame,
  s: Sequences,
  sums: usize,
  item: i32,
): void {
  for (let kind = 0; kind < 3; kind++) {
    const items = tilesOf(countOf(frame, kind), FINISH_ROWS);
    if (item < items) return finishRows(frame, s, kind, item);
    item -= items;
  }
  sumDecays(frame, s, sums, item);
}

function finishRows(frame: LinearAttentionFrame, s: Sequences, kind: i32, item: i32): void {
  const rows = rowsOf(frame, kind);
  const heads = headsOf(frame, kind);
  const end = min((item + 1) * FINISH_ROWS, countOf(frame, kind));
  for (let i = item * FINISH_ROWS; i < end; i++) {
    const t = i % rows;
    const h = (i / rows) % heads;
    const b = i / rows / heads;
    if (kind == Kind.queries) queryRow(frame, s, b, h, t);
    else if (kind == Kind.keys) keyRow(frame, s, b, h, t);
    else valueRow(frame, s, b, h, t);
  }
}

function queryRow(frame: LinearAttentionFrame, s: Sequences, b: i32, h: i32, t: i32): void {
  const strides = stridesAt(frame, offsetof<LinearAttentionFrame>("queryBatch"));
  const group = frame.heads / frame.queryHeads;
  const size = (<usize>keySize(frame)) << 2;
  const step = <usize>frame.queries * size;
  const from = <usize>((b * frame.heads + h * group) * frame.queries + t) * size;
  const x = rowAt(frame.query, strides, b, h, t);
  const target = rowAt(frame.queryGradient, strides, b, h, t);
  const scale = f32x4.splat(frame.scale);
  let at: usize = 0;
  for (let left = frame.headSize; left > 0; left -= 4) {
    let sum = f32x4.mul(sumHeads(s.queryGradients + from + at, step, group), scale);
    if (frame.featureMap) sum = f32x4.mul(sum, featureSlope(loadLanes(x + at, left)));
    storeLanes(target + at, sum, left);
    at += 16;
  }
}

function keyRow(frame: LinearAttentionFrame, s: Sequences, b: i32, h: i32, t: i32): void {
  const strides = stridesAt(frame, offsetof<LinearAttentionFrame>("keyBatch"));
  const target = rowAt(frame.keyGradient, strides, b, h, t);
  if (t >= lengthOf(frame, b)) return memory.fill(target, 0, (<usize>frame.headSize) << 2);
  const group = frame.valueHeads / frame.keyHeads;
  const size = (<usize>keySize(frame)) << 2;
  const step = <usize>frame.keys * size;
  const from = <usize>((b * frame.valueHeads + h * group) * frame.keys + t) * size;
  const x = rowAt(frame.key, strides, b, h, t);
  let at: usize = 0;
  for (let left = frame.headSize; left > 0; left -= 4) {
    let sum = sumHeads(s.keyGradients + from + at, step, group);
    if (frame.featureMap) sum = f32x4.mul(sum, featureSlope(loadLanes(x + at, left)));
    storeLanes(target + at, sum, left);
    at += 16;
  }
}

function valueRow(frame: LinearAttentionFrame, s: Sequences, b: i32, h: i32, t: i32): void {
  const strides = stridesAt(frame, offsetof<LinearAttentionFrame>("valueBatch"));
  const target = rowAt(frame.valueGradient, strides, b, h, t);
  const bytes = (<usize>frame.valueSize) << 2;
  if (t >= lengthOf(frame, b)) return memory.fill(target, 0, bytes);
  const row = <usize>((b * frame.valueHeads + h) * frame.keys + t);
  memory.copy(target, s.valueGradients + row * ((<usize>valueSize(frame)) << 2), bytes);
}

/** Four columns of as many heads. */
function sumHeads(at: usize, step: usize, count: i32): v128 {
  let sum = v128.load(at);
  for (let i = 1; i < count; i++) {
    at += step;
    sum = f32x4.add(sum, v128.load(at));
  }
  return sum;
}

/** Of head `head` of all batches, from its last token to the first. */
function sumDecays(frame: LinearAttentionFrame, s: Sequences, sums: usize, head: i32): void {
  const strides = stridesAt(frame, offsetof<LinearAttentionFrame>("decayBatch"));
  const b = head / frame.valueHeads;
  const h = head % frame.valueHeads;
  const size = (<usize>keySize(frame)) << 2;
  const length = lengthOf(frame, b);
  const depth = <usize>frame.headSize;
  const along = s.along + <usize>head * size;
  for (let d: usize = 0; d < depth; d++) {
    store<f64>(sums + (d << 3), <f64>load<f32>(along + (d << 2)));
  }
  const keyHead = b * frame.keyHeads + (h * frame.keyHeads) / frame.valueHeads;
  for (let t = frame.keys - 1; t >= 0; t--) {
    addQueries(frame, s, sums, head, t);
    const target = rowAt(frame.decayGradient, strides, b, h, t);
    if (t >= length) {
      memory.fill(target, 0, (<usize>frame.decaySize) << 2);
      continue;
    }
    const key = s.keys + <usize>(keyHead * frame.keys + t) * size;
    const gradient = s.keyGradients + <usize>(head * frame.keys + t) * size;
    let all: f64 = 0;
    for (let d: usize = 0; d < depth; d++) {
      const at = d << 2;
      const taken = <f64>load<f32>(key + at) * <f64>load<f32>(gradient + at);
      const sum = load<f64>(sums + (d << 3)) - taken;
      store<f64>(sums + (d << 3), sum);
      if (frame.decaySize == 1) all += sum;
      else store<f32>(target + at, <f32>sum);
    }
    if (frame.decaySize == 1) store<f32>(target, <f32>all);
  }
}

/** q · dq of the heads that read a state, at token t. */
function addQueries(
  frame: LinearAttentionFrame,
  s: Sequences,
  sums: usize,
  head: i32,
  t: i32,
): void {
  const b = head / frame.valueHeads;
  const h = head % frame.valueHeads;
  const size = (<usize>keySize(frame)) << 2;
  const group = frame.heads / frame.valueHeads;
  for (let i = 0; i < group; i++) {
    const o = h * group + i;
    const queryHead = b * frame.queryHeads + (o * frame.queryHeads) / frame.heads;
    const query = s.queries + <usize>(queryHead * frame.queries + t) * size;
    const row = <usize>((b * frame.heads + o) * frame.queries + t);
    const gradient = s.queryGradients + row * size;
    for (let d: usize = 0; d < <usize>frame.headSize; d++) {
      const at = d << 2;
      const product = <f64>load<f32>(query + at) * <f64>load<f32>(gradient + at);
      store<f64>(sums + (d << 3), load<f64>(sums + (d << 3)) + product);
    }
  }
}
