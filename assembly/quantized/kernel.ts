// The register blocks of integers: C[4×8] += A[4×k] · B[k×8] over part of the depth, sums of a segment in
// integers, which are exact, and made float32 at its end:
//
//   c += ((Σ x̂·q + z·Σ x̂) · s + o·Σ x̂) · scale        s, z or o of the column's segment, scale of the row's part
//
// A from input.ts, B a panel of panel.ts, C rows cRow bytes apart. |Σ x̂·q| ≤ 256 · 32767 · 128 < 2³¹. An
// element's bits depend on its row and column alone, and are those of every build.

import { OffsetKind, WeightNumbers } from "../kinds";
import { QuantizedFrame } from "./frame";
import { Input, numbersOf, scalesOf, sumsOf } from "./input";
import { headBytes, numberBytes } from "./panel";

/** The lowest four of 16 bits, twice, read from memory: a constant is made anew at each use. */
const LOW_HALVES = memory.data<u16>([15, 15]);

/** A panel's part of the depth as numbers of 16 bits, [inputs/2][8][2], each segment a whole number of fours. */
export function widen(frame: QuantizedFrame, b: usize, count: i32, target: usize): void {
  const head = headBytes(frame);
  const segment = frame.segment;
  const mask = v128.load32_splat(LOW_HALVES);
  const center = i16x8.splat(<i16>frame.center);
  for (let left = count; left > 0; left -= segment) {
    b += head;
    const end = target + ((<usize>((min(segment, left) + 3) & ~3)) << 4);
    if (frame.numbers == WeightNumbers.int8) {
      for (; target < end; target += 32, b += 16) {
        v128.store(target, v128.load_ext<i8>(b));
        v128.store(target, v128.load_ext<i8>(b, 8), 16);
      }
    } else {
      for (; target < end; target += 64, b += 16) {
        const x = v128.load(b);
        v128.store(target, i16x8.sub(v128.and(x, mask), center));
        v128.store(target, i16x8.sub(v128.and(i16x8.shr_u(x, 4), mask), center), 16);
        v128.store(target, i16x8.sub(v128.and(i16x8.shr_u(x, 8), mask), center), 32);
        v128.store(target, i16x8.sub(i16x8.shr_u(x, 12), center), 48);
      }
    }
  }
}

/** Where a panel's part lies: its first segment, and what `widen` made of it, 0 for nothing. */
@unmanaged
export class Panel {
  segments: usize = 0;
  wide: usize = 0;
}

/** The four rows from `row` on, by the eight columns of a panel. */
export function multiply4x8(
  frame: QuantizedFrame,
  input: Input,
  row: i32,
  panel: Panel,
  c: usize,
  cRow: usize,
): void {
  const segment = frame.segment;
  const offsets = frame.offsets;
  const step = headBytes(frame) + numberBytes(frame, segment);
  const scales = scalesOf(input) + ((<usize>row) << 2);
  let sums = sumsOf(input, row);
  let a = numbersOf(input, row);
  let b = panel.wide;
  let at = panel.segments;
  const c1 = c + cRow;
  const c2 = c1 + cRow;
  const c3 = c2 + cRow;
  for (let left = input.count; left > 0; left -= segment) {
    let s00 = i32x4.splat(0);
    let s01 = s00;
    let s10 = s00;
    let s11 = s00;
    let s20 = s00;
    let s21 = s00;
    let s30 = s00;
    let s31 = s00;
    const end = a + ((<usize>((min(segment, left) + 3) & ~3)) << 3);
    for (; a < end; a += 16, b += 32) {
      const b0 = v128.load(b);
      const b1 = v128.load(b, 16);
      let v = v128.load32_splat(a);
      s00 = add(s00, b0, v);
      s01 = add(s01, b1, v);
      v = v128.load32_splat(a, 4);
      s10 = add(s10, b0, v);
      s11 = add(s11, b1, v);
      v = v128.load32_splat(a, 8);
      s20 = add(s20, b0, v);
      s21 = add(s21, b1, v);
      v = v128.load32_splat(a, 12);
      s30 = add(s30, b0, v);
      s31 = add(s31, b1, v);
    }
    addFour(offsets, at, sums, scales, c, s00);
    addFour(offsets, at + 16, sums, scales, c + 16, s01);
    addFour(offsets, at, sums + 4, scales + 4, c1, s10);
    addFour(offsets, at + 16, sums + 4, scales + 4, c1 + 16, s11);
    addFour(offsets, at, sums + 8, scales + 8, c2, s20);
    addFour(offsets, at + 16, sums + 8, scales + 8, c2 + 16, s21);
    addFour(offsets, at, sums + 12, scales + 12, c3, s30);
    addFour(offsets, at + 16, sums + 12, scales + 12, c3 + 16, s31);
    sums += 16;
    at += step;
  }
}

/** The only row, [inputs] of x̂, by eight columns. */
export function multiply1x8(frame: QuantizedFrame, input: Input, b: usize, c: usize): void {
  const four = frame.numbers == WeightNumbers.int4;
  const segment = frame.segment;
  const head = headBytes(frame);
  const scales = scalesOf(input);
  let sums = sumsOf(input, 0);
  let a = numbersOf(input, 0);
  for (let left = input.count; left > 0; left -= segment) {
    const at = b;
    b += head;
    const end = a + ((<usize>((min(segment, left) + 3) & ~3)) << 1);
    let s0 = four ? start(frame, sums) : i32x4.splat(0);
    let s1 = s0;
    if (four) {
      const mask = v128.load32_splat(LOW_HALVES);
      for (; a < end; a += 8, b += 16) {
        const x = v128.load(b);
        let v = v128.load32_splat(a);
        s0 = add(s0, v128.and(x, mask), v);
        s1 = add(s1, v128.and(i16x8.shr_u(x, 4), mask), v);
        v = v128.load32_splat(a, 4);
        s0 = add(s0, v128.and(i16x8.shr_u(x, 8), mask), v);
        s1 = add(s1, i16x8.shr_u(x, 12), v);
      }
    } else {
      for (; a < end; a += 8, b += 32) {
        let v = v128.load32_splat(a);
        s0 = add(s0, v128.load_ext<i8>(b), v);
        s1 = add(s1, v128.load_ext<i8>(b, 8), v);
        v = v128.load32_splat(a, 4);
        s0 = add(s0, v128.load_ext<i8>(b, 16), v);
        s1 = add(s1, v128.load_ext<i8>(b, 24), v);
      }
    }
    addFour(frame.offsets, at, sums, scales, c, s0);
    addFour(frame.offsets, at + 16, sums, scales, c + 16, s1);
    sums += 16;
  }
}

// @ts-ignore: decorator
@inline
function add(sum: v128, numbers: v128, x: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(numbers, x));
}

/** −center · Σ x̂: numbers of int4 are counted from the center. */
// @ts-ignore: decorator
@inline
function start(frame: QuantizedFrame, sum: usize): v128 {
  return i32x4.splat(-frame.center * load<i32>(sum));
}

/** The end of a segment: four columns whose head is `head`; `sum` is where Σ x̂ lies. */
// @ts-ignore: decorator
@inline
export function addFour(
  offsets: i32,
  head: usize,
  sum: usize,
  scale: usize,
  c: usize,
  products: v128,
): void {
  let total = f32x4.convert_i32x4_s(products);
  if (offsets == OffsetKind.none) total = f32x4.mul(total, v128.load(head));
  else {
    const offset = f32x4.mul(v128.load(head, 32), f32x4.convert_i32x4_s(v128.load32_splat(sum)));
    if (offsets == OffsetKind.before) {
      total = f32x4.mul(f32x4.add(total, offset), v128.load(head));
    } else total = f32x4.add(f32x4.mul(total, v128.load(head)), offset);
  }
  v128.store(c, f32x4.add(v128.load(c), f32x4.mul(total, v128.load32_splat(scale))));
}
