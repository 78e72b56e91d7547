// The register blocks of bytes: as kernel.ts, with the same sums and so the same bits, four products at a time.
//
//   Σ x̂·q = Σ (x̂ + z)·q − z · Σ q,  z = frame.most + 1
//
// x̂ + z has 7 bits, which simd/bytes.ts says more of; or 14 in two planes, 128 · Σ high·q + Σ low·q. z · Σ q lies
// in the head of a segment. A sum may wrap on the way, its end does not: |Σ x̂·q| ≤ 256 · 8191 · 128 < 2³¹.
//
// Sum is the type of an instruction's sums: i32 of four products, i16 of two.

import { QuantizedFrame } from "./frame";
import { planeBytes, planesOf } from "./fours-input";
import { Input, numbersOf, onesOfWords, scalesOf, sumsOf } from "./input";
import { addFour, Panel } from "./kernel";
import { headBytes, isInt4, numberBytes } from "./panel";
import { Place } from "./place";

/** The low half of each byte, read from memory: a constant is made anew at each use. */
const LOW_HALVES = memory.data<u8>([15, 15, 15, 15]);

// @ts-ignore: decorator
@inline
function add<Sum>(sum: v128, numbers: v128, x: v128, ones: v128): v128 {
  if (sizeof<Sum>() == 4) return i32x4.relaxed_dot_i8x16_i7x16_add_s(numbers, x, sum);
  // @ts-ignore: declared with a third operand that the instruction has not
  const pairs = i16x8.relaxed_dot_i8x16_i7x16_s(numbers, x);
  return i32x4.add(sum, i32x4.dot_i16x8_s(pairs, ones));
}

/** Numbers of 4 bits as bytes: those of the first four columns, and of the last four. */
// @ts-ignore: decorator
@inline
export function lowHalves(frame: QuantizedFrame, source: usize): v128 {
  const four = v128.and(v128.load(source), v128.load32_splat(LOW_HALVES));
  return i8x16.sub(four, i8x16.splat(<i8>frame.center));
}

// @ts-ignore: decorator
@inline
export function highHalves(frame: QuantizedFrame, source: usize): v128 {
  const four = v128.and(i16x8.shr_u(v128.load(source), 4), v128.load32_splat(LOW_HALVES));
  return i8x16.sub(four, i8x16.splat(<i8>frame.center));
}

/** Writes −z · Σ q of a column's segment. */
export function putStart(frame: QuantizedFrame, place: Place): void {
  const lane = place.column & 7;
  let sum = 0;
  for (let i = 0; i < place.count; i++) {
    const four = <usize>(i >> 2);
    const byte = <usize>(i & 3);
    if (isInt4(frame.numbers)) {
      const at = place.numbers + (four << 4) + ((<usize>(lane & 3)) << 2) + byte;
      sum += (((<i32>load<u8>(at)) >> (lane & 4)) & 15) - frame.center;
    } else sum += <i32>load<i8>(place.numbers + (four << 5) + ((<usize>lane) << 2) + byte);
  }
  store<i32>(place.numbers - 32 + ((<usize>lane) << 2), -(frame.most + 1) * sum);
}

/** A panel's part of the depth as bytes, [inputs/4][8][4]. */
export function widenFours(frame: QuantizedFrame, b: usize, count: i32, target: usize): void {
  const head = headBytes(frame);
  const segment = frame.segment;
  for (let left = count; left > 0; left -= segment) {
    b += head;
    const end = target + ((<usize>((min(segment, left) + 3) & ~3)) << 3);
    for (; target < end; target += 32, b += 16) {
      v128.store(target, lowHalves(frame, b));
      v128.store(target, highHalves(frame, b), 16);
    }
  }
}

/** The four rows from `row` on, by the eight columns of a panel; its `wide` is 0 for numbers of 8 bits. */
export function foursBy4x8<Sum>(
  frame: QuantizedFrame,
  input: Input,
  row: i32,
  panel: Panel,
  c: usize,
  cRow: usize,
): void {
  const ones = onesOfWords();
  const segment = frame.segment;
  const offsets = frame.offsets;
  const head = headBytes(frame);
  const step = head + numberBytes(frame, segment);
  const planes = planesOf(frame);
  const plane = planeBytes(frame, input);
  const scales = scalesOf(input) + ((<usize>row) << 2);
  let sums = sumsOf(input, row);
  let a = numbersOf(input, row);
  let wide = panel.wide;
  let at = panel.segments;
  const c1 = c + cRow;
  const c2 = c1 + cRow;
  const c3 = c2 + cRow;
  for (let left = input.count; left > 0; left -= segment) {
    const bytes = (<usize>((min(segment, left) + 3) & ~3)) << 2;
    let s00 = i32x4.splat(0);
    let s01 = s00;
    let s10 = s00;
    let s11 = s00;
    let s20 = s00;
    let s21 = s00;
    let s30 = s00;
    let s31 = s00;
    for (let p: usize = 0; p < planes; p++) {
      s00 = i32x4.shl(s00, 7);
      s01 = i32x4.shl(s01, 7);
      s10 = i32x4.shl(s10, 7);
      s11 = i32x4.shl(s11, 7);
      s20 = i32x4.shl(s20, 7);
      s21 = i32x4.shl(s21, 7);
      s30 = i32x4.shl(s30, 7);
      s31 = i32x4.shl(s31, 7);
      let b = wide ? wide : at + head;
      let x = a + p * plane;
      for (const end = x + bytes; x < end; x += 16, b += 32) {
        const b0 = v128.load(b);
        const b1 = v128.load(b, 16);
        let v = v128.load32_splat(x);
        s00 = add<Sum>(s00, b0, v, ones);
        s01 = add<Sum>(s01, b1, v, ones);
        v = v128.load32_splat(x, 4);
        s10 = add<Sum>(s10, b0, v, ones);
        s11 = add<Sum>(s11, b1, v, ones);
        v = v128.load32_splat(x, 8);
        s20 = add<Sum>(s20, b0, v, ones);
        s21 = add<Sum>(s21, b1, v, ones);
        v = v128.load32_splat(x, 12);
        s30 = add<Sum>(s30, b0, v, ones);
        s31 = add<Sum>(s31, b1, v, ones);
      }
    }
    const start0 = v128.load(at + head - 32);
    const start1 = v128.load(at + head - 16);
    addFour(offsets, at, sums, scales, c, i32x4.add(s00, start0));
    addFour(offsets, at + 16, sums, scales, c + 16, i32x4.add(s01, start1));
    addFour(offsets, at, sums + 4, scales + 4, c1, i32x4.add(s10, start0));
    addFour(offsets, at + 16, sums + 4, scales + 4, c1 + 16, i32x4.add(s11, start1));
    addFour(offsets, at, sums + 8, scales + 8, c2, i32x4.add(s20, start0));
    addFour(offsets, at + 16, sums + 8, scales + 8, c2 + 16, i32x4.add(s21, start1));
    addFour(offsets, at, sums + 12, scales + 12, c3, i32x4.add(s30, start0));
    addFour(offsets, at + 16, sums + 12, scales + 12, c3 + 16, i32x4.add(s31, start1));
    a += bytes;
    if (wide) wide += bytes << 1;
    sums += 16;
    at += step;
  }
}

/** The only row by eight columns, whose segments begin at `at`. */
export function foursBy1x8<Sum>(frame: QuantizedFrame, input: Input, at: usize, c: usize): void {
  const ones = onesOfWords();
  const four = isInt4(frame.numbers);
  const segment = frame.segment;
  const head = headBytes(frame);
  const step = head + numberBytes(frame, segment);
  const planes = planesOf(frame);
  const plane = planeBytes(frame, input);
  const scales = scalesOf(input);
  let sums = sumsOf(input, 0);
  let a = numbersOf(input, 0);
  for (let left = input.count; left > 0; left -= segment) {
    const bytes = <usize>((min(segment, left) + 3) & ~3);
    let s0 = i32x4.splat(0);
    let s1 = s0;
    for (let p: usize = 0; p < planes; p++) {
      s0 = i32x4.shl(s0, 7);
      s1 = i32x4.shl(s1, 7);
      let b = at + head;
      let x = a + p * plane;
      const end = x + bytes;
      if (four) {
        for (; x < end; x += 4, b += 16) {
          const v = v128.load32_splat(x);
          s0 = add<Sum>(s0, lowHalves(frame, b), v, ones);
          s1 = add<Sum>(s1, highHalves(frame, b), v, ones);
        }
      } else {
        for (; x < end; x += 4, b += 32) {
          const v = v128.load32_splat(x);
          s0 = add<Sum>(s0, v128.load(b), v, ones);
          s1 = add<Sum>(s1, v128.load(b, 16), v, ones);
        }
      }
    }
    s0 = i32x4.add(s0, v128.load(at + head - 32));
    s1 = i32x4.add(s1, v128.load(at + head - 16));
    addFour(frame.offsets, at, sums, scales, c, s0);
    addFour(frame.offsets, at + 16, sums, scales, c + 16, s1);
    a += bytes;
    sums += 16;
    at += step;
  }
}
