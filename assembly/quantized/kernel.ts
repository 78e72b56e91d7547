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
import { headBytes } from "./panel";

/** The four rows from `row` on, by the eight columns whose segments begin at `b`. */
export function multiply4x8(
  frame: QuantizedFrame,
  input: Input,
  row: i32,
  b: usize,
  c: usize,
  cRow: usize,
): void {
  const four = frame.numbers == WeightNumbers.int4;
  const segment = frame.segment;
  const head = headBytes(frame);
  const scales = scalesOf(input) + ((<usize>row) << 2);
  let sums = sumsOf(input, row);
  let a = numbersOf(input, row);
  const c1 = c + cRow;
  const c2 = c1 + cRow;
  const c3 = c2 + cRow;
  for (let left = input.count; left > 0; left -= segment) {
    const at = b;
    b += head;
    let s00: v128, s01: v128, s10: v128, s11: v128;
    let s20: v128, s21: v128, s30: v128, s31: v128;
    if (four) {
      s00 = start(frame, sums);
      s10 = start(frame, sums + 4);
      s20 = start(frame, sums + 8);
      s30 = start(frame, sums + 12);
      s01 = s00;
      s11 = s10;
      s21 = s20;
      s31 = s30;
      const mask = i16x8.splat(15);
      const end = a + ((<usize>((min(segment, left) + 3) & ~3)) << 3);
      for (; a < end; a += 32, b += 16) {
        const x = v128.load(b);
        const n0 = v128.and(x, mask);
        const n1 = v128.and(i16x8.shr_u(x, 4), mask);
        const n2 = v128.and(i16x8.shr_u(x, 8), mask);
        const n3 = i16x8.shr_u(x, 12);
        let v = v128.load32_splat(a);
        s00 = add(s00, n0, v);
        s01 = add(s01, n1, v);
        v = v128.load32_splat(a, 4);
        s10 = add(s10, n0, v);
        s11 = add(s11, n1, v);
        v = v128.load32_splat(a, 8);
        s20 = add(s20, n0, v);
        s21 = add(s21, n1, v);
        v = v128.load32_splat(a, 12);
        s30 = add(s30, n0, v);
        s31 = add(s31, n1, v);
        v = v128.load32_splat(a, 16);
        s00 = add(s00, n2, v);
        s01 = add(s01, n3, v);
        v = v128.load32_splat(a, 20);
        s10 = add(s10, n2, v);
        s11 = add(s11, n3, v);
        v = v128.load32_splat(a, 24);
        s20 = add(s20, n2, v);
        s21 = add(s21, n3, v);
        v = v128.load32_splat(a, 28);
        s30 = add(s30, n2, v);
        s31 = add(s31, n3, v);
      }
    } else {
      s00 = i32x4.splat(0);
      s01 = s00;
      s10 = s00;
      s11 = s00;
      s20 = s00;
      s21 = s00;
      s30 = s00;
      s31 = s00;
      const end = a + ((<usize>((min(segment, left) + 3) & ~3)) << 3);
      for (; a < end; a += 16, b += 16) {
        const b0 = v128.load_ext<i8>(b);
        const b1 = v128.load_ext<i8>(b, 8);
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
    }
    const offsets = frame.offsets;
    addFour(offsets, at, sums, scales, c, s00);
    addFour(offsets, at + 16, sums, scales, c + 16, s01);
    addFour(offsets, at, sums + 4, scales + 4, c1, s10);
    addFour(offsets, at + 16, sums + 4, scales + 4, c1 + 16, s11);
    addFour(offsets, at, sums + 8, scales + 8, c2, s20);
    addFour(offsets, at + 16, sums + 8, scales + 8, c2 + 16, s21);
    addFour(offsets, at, sums + 12, scales + 12, c3, s30);
    addFour(offsets, at + 16, sums + 12, scales + 12, c3 + 16, s31);
    sums += 16;
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
      const mask = i16x8.splat(15);
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
function addFour(offsets: i32, head: usize, sum: usize, scale: usize, c: usize, products: v128): void {
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
