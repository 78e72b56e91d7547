// The calls of the quantized module. Fields as in attend/frame.ts.

import { LinearFrame } from "../linear/frame";

/** linear with a weight of few bits, and what is done to one: packed, and unpacked again into `result`. */
@unmanaged
export class QuantizedFrame extends LinearFrame {
  /** WeightNumbers */
  numbers: i32 = 0;
  /** Inputs that share a scale, at most LINEAR_DEPTH; one of its divisors from 16 on. */
  segment: i32 = 0;
  /** OffsetKind */
  offsets: i32 = 0;
  /** What int4 are counted from: the number is 0 to 15 less it. */
  center: i32 = 0;
  /** 1: x is multiplied in float32. */
  floats: i32 = 0;
  /** IntegerProduct */
  product: i32 = 0;
  /** The largest integer that x is rounded to: 32767, or with numbers in fours 8191 or 63. */
  most: i32 = 0;
  /** pack: WeightFormat of `weight`. */
  format: i32 = 0;
  /** pack: inputs that share a scale in `weight`. */
  block: i32 = 0;
  /** pack, of bits: 2, 4 or 8. */
  bits: i32 = 0;
  /** pack: [columns × blocks] floats, of integers one or [columns]. */
  scales: usize = 0;
  scaleCount: i32 = 0;
  /** pack: zero points, 0 for none: floats as the scales or, unless zerosAreFloats, as the numbers are. */
  zeros: usize = 0;
  zerosAreFloats: i32 = 0;
  zeroCount: i32 = 0;
  /** pack, of integers: 1 where they have no sign. */
  unsigned: i32 = 0;
}
