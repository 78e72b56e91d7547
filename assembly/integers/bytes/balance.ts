// Keys and queries of a head balanced by channel, so that neither's few large channels leave the others
// without bits (Xiao et al. 2023, "SmoothQuant"): queries times f, keys divided by it,
//
//   f_c = √(rms K_c / rms Q_c)
//
// over at most SAMPLE rows of each, evenly spread over the sequence's keys and over the queries of all heads
// that read them; each row counts by its shape, over its largest number, and keys less their mean. A channel
// that is next to nothing in all of them counts as 1/32 of the others.

import { AttendFrame, queryStrides, sequenceOf } from "../../attend/frame";
import { groupSize } from "../../attend/heads";
import { keysAt } from "../../attend/located";
import { rowAt } from "../../strided";
import { fourOf, largestOf, largestOff } from "./channels";
import { factors, inverses, LARGEST, perChannel, SMALLEST } from "./layout";

const SAMPLE = 256;
const FLOOR: f32 = 1.0 / 1024;

/** Of key and value head `index` of all batches. */
export function balanceHead(frame: AttendFrame, index: i32, panels: usize): void {
  const size = frame.headSize;
  const sequence = sequenceOf(frame, index / frame.keyValueHeads);
  const bytes = perChannel(frame);
  const queries = factors(panels);
  const keys = inverses(frame, panels);
  memory.fill(panels, 0, bytes << 1);

  const means = queries;
  const count = min(sequence.keys, SAMPLE);
  for (let i = 0; i < count; i++) {
    const row = sampledKey(frame, index, i, count);
    if (!counts(largestOf(row, size))) continue;
    for (let d = 0; d < size; d += 4) {
      const at = means + ((<usize>d) << 2);
      v128.store(at, f32x4.add(v128.load(at), fourOf(row, d, size)));
    }
  }
  const part = f32x4.splat(count ? <f32>1 / <f32>count : 0);
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(means + at, f32x4.mul(v128.load(means + at), part));
  }
  for (let i = 0; i < count; i++) {
    const row = sampledKey(frame, index, i, count);
    if (counts(largestOf(row, size))) addShape(row, size, means, keys);
  }

  memory.fill(queries, 0, bytes);
  const all = groupSize(frame) * sequence.queries;
  const sampled = min(all, SAMPLE);
  for (let i = 0; i < sampled; i++) {
    const row = sampledQuery(frame, index, <i32>((<i64>i * all) / sampled));
    if (counts(largestOf(row, size))) addShape(row, size, 0, queries);
  }

  const ofKeys = floorOf(keys, size);
  const ofQueries = floorOf(queries, size);
  for (let at: usize = 0; at < bytes; at += 4) {
    const above = load<f32>(keys + at) + ofKeys;
    const below = load<f32>(queries + at) + ofQueries;
    const f = above > 0 && below > 0 ? sqrt(sqrt(above / below)) : 1;
    store<f32>(queries + at, f);
    store<f32>(keys + at, <f32>1 / f);
  }
}

/** Whether a row of such a largest number takes part. */
// @ts-ignore: decorator
@inline
function counts(largest: f32): bool {
  return largest >= SMALLEST && largest <= LARGEST;
}

// @ts-ignore: decorator
@inline
function sampledKey(frame: AttendFrame, index: i32, i: i32, count: i32): usize {
  const sequence = sequenceOf(frame, index / frame.keyValueHeads);
  return keysAt(frame, index, <i32>((<i64>i * sequence.keys) / count), 1, 0);
}

/** Row `row` of the query heads that read this one, end to end. */
// @ts-ignore: decorator
@inline
function sampledQuery(frame: AttendFrame, index: i32, row: i32): usize {
  const b = index / frame.keyValueHeads;
  const sequence = sequenceOf(frame, b);
  const head = (index % frame.keyValueHeads) * groupSize(frame) + row / sequence.queries;
  const at = sequence.queryStart + (row % sequence.queries);
  return rowAt(frame.query, queryStrides(frame), b, head, at);
}

/** Adds (x − mean)² over the largest of them; no means are 0. */
function addShape(row: usize, size: i32, means: usize, target: usize): void {
  const most = means ? largestOff(row, size, means) : largestOf(row, size);
  if (!counts(most)) return;
  const factor = f32x4.splat(<f32>1 / most);
  for (let d = 0; d < size; d += 4) {
    const at = (<usize>d) << 2;
    let x = fourOf(row, d, size);
    if (means) x = f32x4.sub(x, v128.load(means + at));
    x = f32x4.mul(x, factor);
    v128.store(target + at, f32x4.add(v128.load(target + at), f32x4.mul(x, x)));
  }
}

function floorOf(shape: usize, size: i32): f32 {
  let sum: f32 = 0;
  for (let d = 0; d < size; d++) sum += load<f32>(shape + ((<usize>d) << 2));
  return (sum / <f32>size) * FLOOR;
}
