// A row of x as bytes of 7 bits, in one plane or two: see input.ts.

import { roundingShift } from "../simd/round";
import { QuantizedFrame } from "./frame";
import { Input, numbersOf, onesOfWords, rounded, roundedOne, sumsOf } from "./input";

/** The lowest seven of 16 bits, read from memory: a constant is made anew at each use. */
const LOWEST = memory.data<u16>([127, 127]);

/** Bytes from the high bits of x̂ to the low ones; as many as a plane has. */
// @ts-ignore: decorator
@inline
export function planeBytes(frame: QuantizedFrame, input: Input): usize {
  return (input.panel / planesOf(frame)) >> (input.rows == 1 ? 2 : 0);
}

// @ts-ignore: decorator
@inline
export function planesOf(frame: QuantizedFrame): usize {
  return frame.most < 128 ? 1 : 2;
}

/** |x · inverse| is at most most · (1 + 2⁻²²), so that x̂ + most + 1 lies in 1 to 2 · most + 1: 7 or 14 bits. */
export function roundFours(
  frame: QuantizedFrame,
  source: usize,
  inverse: f32,
  row: i32,
  input: Input,
): void {
  const count = input.count;
  const segment = frame.segment;
  const zero = frame.most + 1;
  const two = planesOf(frame) == 2;
  const plane = planeBytes(frame, input);
  const one = input.rows == 1;
  const step: usize = one ? 4 : 16;
  const lane = (<usize>(row & 3)) << 2;
  let target = numbersOf(input, row) + (one ? 0 : lane);
  let sum = sumsOf(input, row) + lane;
  const factor = f32x4.splat(inverse);
  const shift = roundingShift();
  const ones = onesOfWords();
  const lowest = v128.load32_splat(LOWEST);
  const zeros = i16x8.splat(<i16>zero);
  for (let from = 0; from < count; from += segment) {
    const end = min(from + segment, count);
    let sums = i32x4.splat(0);
    let rest = 0;
    let i = from;
    for (; i + 8 <= end; i += 8) {
      const q = rounded(source + ((<usize>i) << 2), factor, shift);
      sums = i32x4.add(sums, i32x4.dot_i16x8_s(q, ones));
      const x = i16x8.add(q, zeros);
      if (two) {
        const low = v128.and(x, lowest);
        const bytes = i8x16.narrow_i16x8_u(i16x8.shr_u(x, 7), low);
        v128.store32_lane(target, bytes, 0);
        v128.store32_lane(target + step, bytes, 1);
        v128.store32_lane(target + plane, bytes, 2);
        v128.store32_lane(target + plane + step, bytes, 3);
      } else {
        const bytes = i8x16.narrow_i16x8_u(x, x);
        v128.store32_lane(target, bytes, 0);
        v128.store32_lane(target + step, bytes, 1);
      }
      target += step << 1;
    }
    for (; i < end; i++) {
      const q = roundedOne(source + ((<usize>i) << 2), inverse);
      const at = target + <usize>(i & 3);
      rest += q;
      store<u8>(at, two ? (q + zero) >> 7 : q + zero);
      if (two) store<u8>(at + plane, (q + zero) & 127);
      if ((i & 3) == 3) target += step;
    }
    const low = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1);
    const high = i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
    store<i32>(sum, low + high + rest);
    sum += 16;
  }
}
