// The last step of linear attention's gradients: rows of heads that share a query or a key are added up, φ′ is
// multiplied in, and the gradients of the decays are summed from the last token to the first, in float64. Of the
// delta rules the gradients of keys and values come without their β (delta.ts).

import { loadLanes, storeLanes } from "../blocks/lanes";
import { madd, sumLanes } from "../simd/lanes";
import { rowAt } from "../strided";
import { tilesOf } from "../tiles";
import { LinearAttentionFrame } from "./frame";
import { FINISH_ROWS } from "./linear-attention";
import { featureSlope, stridesAt } from "./prepare";
import { PART_COLUMNS, Recurrence } from "./recurrence";
import { keySize, lengthOf, Sequences, valueSize } from "./sequences";

enum Kind {
  queries,
  keys,
  values,
  betas,
  count,
}

function headsOf(frame: LinearAttentionFrame, kind: i32): i32 {
  if (kind == Kind.queries) return frame.queryHeads;
  if (kind == Kind.betas) return frame.betaHead ? frame.valueHeads : 1;
  return kind == Kind.keys ? frame.keyHeads : frame.valueHeads;
}

// @ts-ignore: decorator
@inline
function rowsOf(frame: LinearAttentionFrame, kind: i32): i32 {
  if (kind == Kind.betas && !frame.delta) return 0;
  return kind == Kind.queries ? frame.queries : frame.keys;
}

// @ts-ignore: decorator
@inline
function countOf(frame: LinearAttentionFrame, kind: i32): i32 {
  return frame.batch * headsOf(frame, kind) * rowsOf(frame, kind);
}

export function finishGradientItems(frame: LinearAttentionFrame): i32 {
  let items = frame.decaySize ? frame.batch * frame.valueHeads : 0;
  for (let kind = 0; kind < Kind.count; kind++) {
    items += tilesOf(countOf(frame, kind), FINISH_ROWS);
  }
  return items;
}

/** `sums` is of keySize float64. */
export function finishGradients(
  frame: LinearAttentionFrame,
  s: Sequences,
  sums: usize,
  item: i32,
): void {
  for (let kind = 0; kind < Kind.count; kind++) {
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
    else if (kind == Kind.values) valueRow(frame, s, b, h, t);
    else betaRow(frame, s, b, h, t);
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
    let sum = frame.delta
      ? sumSteps(frame, s, (b * frame.valueHeads + h * group) * frame.keys + t, group, at)
      : sumHeads(s.keyGradients + from + at, step, group);
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
  const source = s.valueGradients + row * ((<usize>valueSize(frame)) << 2);
  if (!frame.delta) return memory.copy(target, source, bytes);
  const beta = v128.load32_splat(s.betas + (row << 2));
  let at: usize = 0;
  for (let left = frame.valueSize; left > 0; left -= 4) {
    storeLanes(target + at, f32x4.mul(v128.load(source + at), beta), left);
    at += 16;
  }
}

/** δ · w, of all heads where they share a β. */
function betaRow(frame: LinearAttentionFrame, s: Sequences, b: i32, h: i32, t: i32): void {
  const strides = stridesAt(frame, offsetof<LinearAttentionFrame>("betaBatch"));
  const size = (<usize>valueSize(frame)) << 2;
  let sum = f32x4.splat(0);
  const heads = t >= lengthOf(frame, b) ? 0 : frame.betaHead ? 1 : frame.valueHeads;
  for (let i = h; i < h + heads; i++) {
    const row = <usize>((b * frame.valueHeads + i) * frame.keys + t) * size;
    for (let at = row; at < row + size; at += 16) {
      sum = madd(v128.load(s.valueGradients + at), v128.load(s.errors + at), sum);
    }
  }
  store<f32>(rowAt(frame.betaGradient, strides, b, h, t), sumLanes(sum));
}

/** β (R w − (e S) δ) of four columns, of as many heads from row `row` of values on. */
function sumSteps(
  frame: LinearAttentionFrame,
  s: Sequences,
  row: i32,
  count: i32,
  at: usize,
): v128 {
  const size = (<usize>keySize(frame)) << 2;
  let sum = f32x4.splat(0);
  for (let i = 0; i < count; i++) {
    const from = <usize>row * size + at;
    const own = f32x4.sub(v128.load(s.keyGradients + from), v128.load(s.retrieved + from));
    sum = madd(v128.load32_splat(s.betas + ((<usize>row) << 2)), own, sum);
    row += frame.keys;
  }
  return sum;
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
    const row = <usize>(head * frame.keys + t) * size;
    const key = frame.delta ? s.steps + row : s.keys + <usize>(keyHead * frame.keys + t) * size;
    const gradient = s.keyGradients + row;
    let all: f64 = 0;
    for (let d: usize = 0; d < depth; d++) {
      const at = d << 2;
      let own = <f64>load<f32>(gradient + at);
      if (frame.delta) own += <f64>load<f32>(s.retrieved + row + at);
      const taken = <f64>load<f32>(key + at) * own;
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

/** Σ over values of the last state, which r holds, and its gradient, for each of r's columns. */
export function sumAlong(
  frame: LinearAttentionFrame,
  r: Recurrence,
  matrix: usize,
  target: usize,
  first: i32,
): void {
  const columns = min(frame.headSize - first, PART_COLUMNS);
  for (let d: usize = 0; d < <usize>columns; d++) {
    let sum: f64 = 0;
    if (frame.finalStateGradient) {
      const gradient =
        frame.finalStateGradient + matrix + (((<usize>first + d) * <usize>r.depth) << 2);
      const state = r.state + (((d >> 3) * <usize>r.depth) << 5) + ((d & 7) << 2);
      for (let c: usize = 0; c < <usize>r.depth; c++) {
        sum += <f64>load<f32>(state + (c << 5)) * <f64>load<f32>(gradient + (c << 2));
      }
    }
    store<f32>(target + (d << 2), <f32>sum);
  }
}
