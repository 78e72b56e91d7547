// Gradients of locate.ts, from g, that of its result. With feature[f] and its gradient d[f] at each key,
//
//   d[f][j] = Σ g[j] · weight[f]                  dweight[f] = Σ_j feature[f][j] · g[j]
//   dfilter[f][c][t] = Σ_i x_c[i] · d[f][i − t + p]    dx_c[i] = Σ_f Σ_t filter[f][c][t] · d[f][i − t + p]
//
// p = ⌊(K − 1)/2⌋. Items: feature and d of each batch and filter, rows of the scratch, d with zeros around it; then dx of
// each batch and x, and, summed over one batch after the other, dfilter and dweight of each filter.

import { loadLanes, storeLanes } from "../blocks/lanes";
import { madd, sumLanes } from "../simd/lanes";
import { LocateFrame } from "./frame";
import { featureAt } from "./locate";

// @ts-ignore: decorator
@inline
function slopesLength(frame: LocateFrame): usize {
  return <usize>(frame.keys + frame.filterSize - 1);
}

// @ts-ignore: decorator
@inline
function rows(frame: LocateFrame): i32 {
  return frame.batch * frame.filterCount;
}

export function locateBackwardScratchBytes(frame: LocateFrame): f64 {
  return <f64>rows(frame) * (<f64>frame.keys + <f64>slopesLength(frame)) * 4;
}

export function locateBackwardItems(frame: LocateFrame): f64 {
  return <f64>rows(frame) + <f64>(2 * frame.batch) + <f64>frame.filterCount;
}

export function locateBackwardReady(frame: LocateFrame, item: i32): i32 {
  return item < rows(frame) ? 0 : rows(frame);
}

export function locateBackwardRun(frame: LocateFrame, item: i32): void {
  if (item < rows(frame)) return featureRow(frame, item);
  item -= rows(frame);
  if (item < 2 * frame.batch) return weightsRow(frame, item >> 1, item & 1);
  filterGradients(frame, item - 2 * frame.batch);
}

// @ts-ignore: decorator
@inline
function features(frame: LocateFrame, row: i32): usize {
  return frame.scratch + ((<usize>row * <usize>frame.keys) << 2);
}

/** With its zeros: d of key 0 is K − 1 − p behind. */
// @ts-ignore: decorator
@inline
function slopes(frame: LocateFrame, row: i32): usize {
  const all = (<usize>(rows(frame) * frame.keys)) << 2;
  return frame.scratch + all + ((<usize>row * slopesLength(frame)) << 2);
}

function featureRow(frame: LocateFrame, row: i32): void {
  const b = row / frame.filterCount;
  const f = row % frame.filterCount;
  const target = features(frame, row);
  const slope = slopes(frame, row);
  memory.fill(slope, 0, slopesLength(frame) << 2);
  const first = slope + ((<usize>(frame.filterSize / 2)) << 2);
  const size = (<usize>frame.size) << 2;
  const weight = frame.weight + <usize>f * size;
  let gradient = frame.resultGradient + <usize>(b * frame.keys) * size;
  for (let j = 0; j < frame.keys; j++) {
    const offset = (<usize>j) << 2;
    store<f32>(target + offset, featureAt(frame, b, f, j));
    let sum = f32x4.splat(0);
    let at: usize = 0;
    for (let left = frame.size; left > 0; left -= 4) {
      sum = madd(loadLanes(gradient + at, left), loadLanes(weight + at, left), sum);
      at += 16;
    }
    store<f32>(first + offset, sumLanes(sum));
    gradient += size;
  }
}

/** dx of the weights of the step before, or of all before it. */
function weightsRow(frame: LocateFrame, b: i32, c: i32): void {
  const row = (<usize>(b * frame.keys)) << 2;
  const target = (c ? frame.cumulativeGradient : frame.previousGradient) + row;
  const size = (<usize>frame.filterSize) << 2;
  let at: usize = 0;
  for (let left = frame.keys; left > 0; left -= 4) {
    let sum = f32x4.splat(0);
    for (let f = 0; f < frame.filterCount; f++) {
      const filter = frame.filters + <usize>(2 * f + c) * size;
      const slope = slopes(frame, b * frame.filterCount + f) + size - 4 + at;
      for (let t: usize = 0; t < size; t += 4) {
        sum = madd(v128.load32_splat(filter + t), loadLanes(slope - t, left), sum);
      }
    }
    storeLanes(target + at, sum, left);
    at += 16;
  }
}

function filterGradients(frame: LocateFrame, f: i32): void {
  const size = (<usize>frame.filterSize) << 2;
  const target = frame.filtersGradient + <usize>(2 * f) * size;
  const weight = frame.weightGradient + ((<usize>(f * frame.size)) << 2);
  memory.fill(target, 0, 2 * size);
  memory.fill(weight, 0, (<usize>frame.size) << 2);
  for (let b = 0; b < frame.batch; b++) {
    const row = b * frame.filterCount + f;
    const offset = (<usize>(b * frame.keys)) << 2;
    addFilter(frame, row, frame.previous + offset, target);
    addFilter(frame, row, frame.cumulative + offset, target + size);
    addWeight(frame, b, features(frame, row), weight);
  }
}

function addFilter(frame: LocateFrame, row: i32, x: usize, target: usize): void {
  const size = (<usize>frame.filterSize) << 2;
  const slope = slopes(frame, row) + size - 4;
  for (let t: usize = 0; t < size; t += 4) {
    let sum = f32x4.splat(0);
    let at: usize = 0;
    for (let left = frame.keys; left > 0; left -= 4) {
      sum = madd(loadLanes(x + at, left), loadLanes(slope + at - t, left), sum);
      at += 16;
    }
    store<f32>(target + t, load<f32>(target + t) + sumLanes(sum));
  }
}

function addWeight(frame: LocateFrame, b: i32, feature: usize, target: usize): void {
  const size = (<usize>frame.size) << 2;
  let gradient = frame.resultGradient + <usize>(b * frame.keys) * size;
  for (let j: usize = 0; j < <usize>frame.keys; j++) {
    const x = v128.load32_splat(feature + (j << 2));
    let at: usize = 0;
    for (let left = frame.size; left > 0; left -= 4) {
      const sum = madd(x, loadLanes(gradient + at, left), loadLanes(target + at, left));
      storeLanes(target + at, sum, left);
      at += 16;
    }
    gradient += size;
  }
}
