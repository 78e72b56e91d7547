// output = weights · values, [batch, rows, keys] by [batch, keys, size], and its gradients: dW = dO · Vᵀ, dV = Wᵀ · dO.
// Sums go over keys, or rows, in order. A weight of 0 leaves its value out, whatever that holds. An item is a tile of
// rows or, for dV, of keys.

import { loadLanes, storeLanes } from "../blocks/lanes";
import { madd, sumLanes } from "../simd/lanes";
import { tilesOf } from "../tiles";
import { WeightedSumFrame } from "./frame";

const ITEM_ROWS: i32 = 16;

// @ts-ignore: decorator
@inline
function rowItems(frame: WeightedSumFrame): i32 {
  return frame.batch * tilesOf(frame.rows, ITEM_ROWS);
}

export function weightedSumItems(frame: WeightedSumFrame, backward: bool): f64 {
  const keys = backward ? frame.batch * tilesOf(frame.keys, ITEM_ROWS) : 0;
  return <f64>rowItems(frame) + <f64>keys;
}

export function weightedSumRun(frame: WeightedSumFrame, item: i32): void {
  const tiles = tilesOf(frame.rows, ITEM_ROWS);
  const b = <usize>(item / tiles);
  const first = (item % tiles) * ITEM_ROWS;
  const size = (<usize>frame.size) << 2;
  const values = frame.value + b * <usize>frame.keys * size;
  for (let i = first; i < min(first + ITEM_ROWS, frame.rows); i++) {
    const row = b * <usize>frame.rows + <usize>i;
    const weights = frame.weights + ((row * <usize>frame.keys) << 2);
    addUp(weights, 4, frame.keys, values, frame.output + row * size, frame.size);
  }
}

export function weightedSumBackwardRun(frame: WeightedSumFrame, item: i32): void {
  if (item < rowItems(frame)) return weightsGradient(frame, item);
  item -= rowItems(frame);
  const tiles = tilesOf(frame.keys, ITEM_ROWS);
  const b = <usize>(item / tiles);
  const first = (item % tiles) * ITEM_ROWS;
  const size = (<usize>frame.size) << 2;
  const gradients = frame.outputGradient + b * <usize>frame.rows * size;
  for (let j = first; j < min(first + ITEM_ROWS, frame.keys); j++) {
    const target = frame.valueGradient + (b * <usize>frame.keys + <usize>j) * size;
    const weights = frame.weights + ((b * <usize>(frame.rows * frame.keys) + <usize>j) << 2);
    addUp(weights, (<usize>frame.keys) << 2, frame.rows, gradients, target, frame.size);
  }
}

/** Σ of `count` rows [size], each times its weight. */
function addUp(
  weights: usize,
  step: usize,
  count: i32,
  rows: usize,
  target: usize,
  size: i32,
): void {
  const bytes = (<usize>size) << 2;
  let at: usize = 0;
  for (let left = size; left > 0; left -= 4) {
    let sum = f32x4.splat(0);
    let row = rows + at;
    let weight = weights;
    for (let j = 0; j < count; j++) {
      if (load<f32>(weight) != 0) {
        sum = madd(v128.load32_splat(weight), loadLanes(row, left), sum);
      }
      weight += step;
      row += bytes;
    }
    storeLanes(target + at, sum, left);
    at += 16;
  }
}

function weightsGradient(frame: WeightedSumFrame, item: i32): void {
  const tiles = tilesOf(frame.rows, ITEM_ROWS);
  const b = <usize>(item / tiles);
  const first = (item % tiles) * ITEM_ROWS;
  const size = (<usize>frame.size) << 2;
  for (let i = first; i < min(first + ITEM_ROWS, frame.rows); i++) {
    const row = b * <usize>frame.rows + <usize>i;
    const gradient = frame.outputGradient + row * size;
    for (let j: usize = 0; j < <usize>frame.keys; j++) {
      const value = frame.value + (b * <usize>frame.keys + j) * size;
      let sum = f32x4.splat(0);
      let at: usize = 0;
      for (let left = frame.size; left > 0; left -= 4) {
        sum = madd(loadLanes(gradient + at, left), loadLanes(value + at, left), sum);
        at += 16;
      }
      const target = frame.weightsGradient + ((row * <usize>frame.keys + j) << 2);
      store<f32>(target, sumLanes(sum));
    }
  }
}
