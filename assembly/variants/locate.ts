// What location-sensitive attention (Chorowski et al. 2015) adds to the keys: features of the weights so far, a
// convolution of those of the step before and of their sum, projected to the size of the keys:
//
//   result[j] = key[j] + Σ_f weight[f] · feature[f],  feature[f] = Σ_c Σ_t filter[f][c][t] · x_c[j + t − ⌊(K − 1)/2⌋]
//
// with 0 past the ends. An item is some keys of one batch; features lie in the thread's scratch.

import { loadLanes, storeLanes } from "../blocks/lanes";
import { madd } from "../simd/lanes";
import { tilesOf } from "../tiles";
import { LocateFrame } from "./frame";

const ITEM_KEYS: i32 = 64;

export function locateScratchBytes(frame: LocateFrame): f64 {
  return <f64>frame.threads * <f64>frame.filterCount * 4;
}

export function locateItems(frame: LocateFrame): f64 {
  return <f64>frame.batch * <f64>tilesOf(frame.keys, ITEM_KEYS);
}

export function locateRun(frame: LocateFrame, item: i32, thread: i32): void {
  const tiles = tilesOf(frame.keys, ITEM_KEYS);
  const b = <usize>(item / tiles);
  const first = (item % tiles) * ITEM_KEYS;
  const features = frame.scratch + ((<usize>(thread * frame.filterCount)) << 2);
  const size = (<usize>frame.size) << 2;
  for (let j = first; j < min(first + ITEM_KEYS, frame.keys); j++) {
    for (let f = 0; f < frame.filterCount; f++) {
      store<f32>(features + ((<usize>f) << 2), featureAt(frame, <i32>b, f, j));
    }
    const row = (b * <usize>frame.keys + <usize>j) * size;
    let at: usize = 0;
    for (let left = frame.size; left > 0; left -= 4) {
      let sum = loadLanes(frame.key + row + at, left);
      let weight = frame.weight + at;
      for (let f: usize = 0; f < <usize>frame.filterCount; f++) {
        const feature = v128.load32_splat(features + (f << 2));
        sum = madd(feature, loadLanes(weight, left), sum);
        weight += size;
      }
      storeLanes(frame.result + row + at, sum, left);
      at += 16;
    }
  }
}

/** feature[f] of key j. */
export function featureAt(frame: LocateFrame, b: i32, f: i32, j: i32): f32 {
  const weights = (<usize>(b * frame.keys)) << 2;
  const filter = frame.filters + ((<usize>(f * 2 * frame.filterSize)) << 2);
  const own = convolve(frame, filter, frame.previous + weights, j, 0);
  const next = filter + ((<usize>frame.filterSize) << 2);
  return convolve(frame, next, frame.cumulative + weights, j, own);
}

/** sum + Σ_t filter[t] · x[j + t − ⌊(K − 1)/2⌋] */
function convolve(frame: LocateFrame, filter: usize, x: usize, j: i32, sum: f32): f32 {
  const start = j - (frame.filterSize - 1) / 2;
  const end = min(frame.filterSize, frame.keys - start);
  for (let t = max(-start, 0); t < end; t++) {
    const weight = load<f32>(filter + ((<usize>t) << 2));
    sum += weight * load<f32>(x + ((<usize>(start + t)) << 2));
  }
  return sum;
}
