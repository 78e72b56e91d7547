// Panels of few bits as float32 panels [inputs][8], which the kernels of linear multiply: a number times its
// scale, with its offset, each operation rounded once; float16 and bfloat16 exactly.

import { OffsetKind, WeightNumbers } from "../kinds";
import { LINEAR_DEPTH } from "../tiles";
import { QuantizedFrame } from "./frame";
import { highHalves, lowHalves } from "./fours";
import { headBytes, inFours, isHalf, panelBytes, segmentOffset } from "./panel";

/** Inputs [from, from + count) of the panel at `panel`; from is a multiple of LINEAR_DEPTH. */
export function unpackPanel(
  frame: QuantizedFrame,
  panel: usize,
  from: i32,
  count: i32,
  target: usize,
): void {
  const segment = frame.segment;
  for (let at = from; at < from + count; at += segment) {
    const head = panel + segmentOffset(frame, at);
    unpackSegment(frame, head, min(segment, from + count - at), target);
    target += (<usize>segment) << 5;
  }
}

function unpackSegment(frame: QuantizedFrame, head: usize, count: i32, target: usize): void {
  const numbers = frame.numbers;
  let source = head + headBytes(frame);
  if (isHalf(numbers)) {
    for (let i = 0; i < count; i++, source += 16, target += 32) {
      v128.store(target, floatsOf(numbers, v128.load_ext<u16>(source)));
      v128.store(target, floatsOf(numbers, v128.load_ext<u16>(source, 8)), 16);
    }
    return;
  }
  if (inFours(numbers)) return unpackFours(frame, head, source, count, target);
  if (numbers == WeightNumbers.int8) {
    for (let i = 0; i < count; i += 2, source += 16, target += 64) {
      storePair(frame, head, v128.load_ext<i8>(source), target, count - i);
      storePair(frame, head + 16, v128.load_ext<i8>(source, 8), target + 16, count - i);
    }
    return;
  }
  const mask = i16x8.splat(15);
  const center = i16x8.splat(<i16>frame.center);
  for (let i = 0; i < count; i += 4, source += 16, target += 128) {
    const x = v128.load(source);
    const n0 = i16x8.sub(v128.and(x, mask), center);
    const n1 = i16x8.sub(v128.and(i16x8.shr_u(x, 4), mask), center);
    storePair(frame, head, n0, target, count - i);
    storePair(frame, head + 16, n1, target + 16, count - i);
    if (count - i < 3) break;
    const n2 = i16x8.sub(v128.and(i16x8.shr_u(x, 8), mask), center);
    const n3 = i16x8.sub(i16x8.shr_u(x, 12), center);
    storePair(frame, head, n2, target + 64, count - i - 2);
    storePair(frame, head + 16, n3, target + 80, count - i - 2);
  }
}

function unpackFours(
  frame: QuantizedFrame,
  head: usize,
  source: usize,
  count: i32,
  target: usize,
): void {
  const four = frame.numbers == WeightNumbers.int4Fours;
  for (let i = 0; i < count; i += 4, source += four ? 16 : 32) {
    const low = four ? lowHalves(frame, source) : v128.load(source);
    const high = four ? highHalves(frame, source) : v128.load(source, 16);
    for (let k = 0; k < min(4, count - i); k++, target += 32) {
      const left = 24 - (k << 3);
      v128.store(target, scaled(frame, head, i32x4.shr_s(i32x4.shl(low, left), 24)));
      const other = i32x4.shr_s(i32x4.shl(high, left), 24);
      v128.store(target, scaled(frame, head + 16, other), 16);
    }
  }
}

/** Two inputs of four columns, or only the first. */
// @ts-ignore: decorator
@inline
function storePair(frame: QuantizedFrame, head: usize, pair: v128, target: usize, left: i32): void {
  v128.store(target, scaled(frame, head, i32x4.shr_s(i32x4.shl(pair, 16), 16)));
  if (left > 1) v128.store(target, scaled(frame, head, i32x4.shr_s(pair, 16)), 32);
}

// @ts-ignore: decorator
@inline
function scaled(frame: QuantizedFrame, head: usize, integers: v128): v128 {
  const offsets = frame.offsets;
  let number = f32x4.convert_i32x4_s(integers);
  if (offsets == OffsetKind.before) number = f32x4.add(number, v128.load(head, 32));
  number = f32x4.mul(number, v128.load(head));
  return offsets == OffsetKind.behind ? f32x4.add(number, v128.load(head, 32)) : number;
}

/** Four numbers of 16 bits, in 32 each. */
// @ts-ignore: decorator
@inline
export function floatsOf(numbers: i32, halves: v128): v128 {
  if (numbers == WeightNumbers.bfloat16) return i32x4.shl(halves, 16);
  const sign = i32x4.shl(v128.and(halves, i32x4.splat(0x8000)), 16);
  const digits = v128.and(halves, i32x4.splat(0x7fff));
  // The same digits 112 powers of two too small, subnormals among them; infinity and NaN by their exponent.
  const factor = i32x4.splat((127 + 112) << 23);
  const finite = f32x4.mul(i32x4.shl(digits, 13), factor);
  const special = v128.and(i32x4.gt_s(digits, i32x4.splat(0x7bff)), i32x4.splat(0x7f800000));
  return v128.or(v128.or(finite, special), sign);
}

/** The weight as float32 in frame.result, [columns × depth] or [depth × columns]; a panel in the scratch. */
export function unpack(frame: QuantizedFrame): void {
  const depth = frame.depth;
  const columns = frame.columns;
  const stepColumn: usize = frame.outputIsRow ? (<usize>depth) << 2 : 4;
  const stepInput: usize = frame.outputIsRow ? 4 : (<usize>columns) << 2;
  const bytes = panelBytes(frame);
  for (let j = 0; j < columns; j += 8) {
    for (let from = 0; from < depth; from += LINEAR_DEPTH) {
      const count = min(LINEAR_DEPTH, depth - from);
      unpackPanel(frame, frame.packed + <usize>(j >> 3) * bytes, from, count, frame.scratch);
      for (let lane = 0; lane < min(8, columns - j); lane++) {
        let source = frame.scratch + ((<usize>lane) << 2);
        let target = frame.result + <usize>(j + lane) * stepColumn + <usize>from * stepInput;
        for (let i = 0; i < count; i++, source += 32, target += stepInput) {
          store<f32>(target, load<f32>(source));
        }
      }
    }
  }
}
