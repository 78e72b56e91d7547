// A weight of few bits [depth × columns] as it is multiplied: for each eight columns a panel of segments of
// frame.segment inputs, the last one may be shorter; behind the panels the bias, padded to eight.
//
//   segment   scales [8], offsets [8] where there are some, of fours −(frame.most + 1) · Σ number [8], then
//     int8    for each two inputs [8][2] bytes
//     int4    for each four inputs eight words of 16 bits, four numbers each: of two inputs of the first
//             four columns in the lowest bits, then of the last four, then of the next two inputs
//     int8Fours   for each four inputs [8][4] bytes
//     int4Fours   for each four inputs [4][4] bytes, of the first four columns in the low half of each
//     float16, bfloat16   for each input [8] of 16 bits; no scales
//
// Scales, offsets and bias are float32, the sums int32. What stands past the last column has a scale of 0.

import { OffsetKind, WeightNumbers } from "../kinds";
import { QuantizedFrame } from "./frame";

// @ts-ignore: decorator
@inline
export function isHalf(numbers: i32): bool {
  return numbers >= WeightNumbers.float16;
}

/** Integers of 4 bits. */
// @ts-ignore: decorator
@inline
export function isInt4(numbers: i32): bool {
  return numbers == WeightNumbers.int4 || numbers == WeightNumbers.int4Fours;
}

/** Integers of four inputs side by side. */
// @ts-ignore: decorator
@inline
export function inFours(numbers: i32): bool {
  return numbers == WeightNumbers.int8Fours || numbers == WeightNumbers.int4Fours;
}

/** Bytes before the numbers of a segment; of fours the last 32 are their sums. */
// @ts-ignore: decorator
@inline
export function headBytes(frame: QuantizedFrame): usize {
  if (isHalf(frame.numbers)) return 0;
  const sums: usize = inFours(frame.numbers) ? 32 : 0;
  return (frame.offsets == OffsetKind.none ? 32 : 64) + sums;
}

/** Bytes of `count` inputs of a segment. */
// @ts-ignore: decorator
@inline
export function numberBytes(frame: QuantizedFrame, count: i32): usize {
  const whole = (<usize>count + 3) & ~3;
  if (isInt4(frame.numbers)) return whole << 2;
  return whole << (isHalf(frame.numbers) ? 4 : 3);
}

/** Bytes from the start of a panel to its segment that begins with input `from`. */
// @ts-ignore: decorator
@inline
export function segmentOffset(frame: QuantizedFrame, from: i32): usize {
  const whole = headBytes(frame) + numberBytes(frame, frame.segment);
  return <usize>(from / frame.segment) * whole;
}

export function panelBytes(frame: QuantizedFrame): usize {
  const last = (frame.depth - 1) / frame.segment;
  const rest = frame.depth - last * frame.segment;
  return segmentOffset(frame, last * frame.segment) + headBytes(frame) + numberBytes(frame, rest);
}

/** Bytes of frame.packed; a float64, since it may be more than memory can hold. */
export function packedBytes(frame: QuantizedFrame): f64 {
  return <f64>((frame.columns + 7) >> 3) * (<f64>panelBytes(frame) + 32);
}

/** Writes a number of column `lane` of a panel; `segment` is where its numbers begin, zeros at first. */
// @ts-ignore: decorator
@inline
export function putNumber(numbers: i32, segment: usize, lane: i32, i: i32, number: i32): void {
  if (numbers == WeightNumbers.int4) {
    const place = (i & 2) + (lane >> 2);
    const word = segment + (((<usize>(i >> 2)) << 4) + ((<usize>(lane & 3)) << 2));
    const at = word + ((<usize>(i & 1)) << 1) + ((<usize>place) >> 1);
    store<u8>(at, load<u8>(at) | (number << ((place & 1) << 2)));
  } else if (numbers == WeightNumbers.int4Fours) {
    const at = segment + (((<usize>(i >> 2)) << 4) + ((<usize>(lane & 3)) << 2) + <usize>(i & 3));
    store<u8>(at, load<u8>(at) | (number << (lane & 4)));
  } else if (numbers == WeightNumbers.int8Fours) {
    store<i8>(
      segment + ((<usize>(i >> 2)) << 5) + ((<usize>lane) << 2) + <usize>(i & 3),
      <i8>number,
    );
  } else if (numbers == WeightNumbers.int8) {
    const pair = segment + ((<usize>(i >> 1)) << 4);
    store<i8>(pair + ((<usize>lane) << 1) + <usize>(i & 1), <i8>number);
  } else {
    store<u16>(segment + ((<usize>i) << 4) + ((<usize>lane) << 1), <u16>number);
  }
}
