// One call of rotate: result ← input, both by the same strides. Fields as in attend/frame.ts.

import { Strides } from "../strided";


@unmanaged
export class RotaryFrame {
  batch: i32 = 0;
  heads: i32 = 0;
  queries: i32 = 0;
  headSize: i32 = 0;
  input: usize = 0;
  result: usize = 0;
  batchStride: usize = 0;
  headStride: usize = 0;
  rowStride: usize = 0;
  /** int32 [axes][batch][queries], −1 for pairs that stay as they are. */
  positions: usize = 0;
  /** uint8 [pairs]: which of the positions a pair follows. */
  axes: usize = 0;
  /** [positions, pairs], 0 where frequencies are given. */
  cosines: usize = 0;
  sines: usize = 0;
  /** [pairs], radians a position. */
  frequencies: usize = 0;
  /** Scratch [2][pairs]. */
  angles: usize = 0;
  pairs: i32 = 0;
  /** 1: a pair is (2i, 2i + 1), 0: (i, i + pairs). */
  interleaved: i32 = 0;
  /** On cosines and sines. */
  factor: f32 = 0;
}

// @ts-ignore: decorator
@inline
export function strides(frame: RotaryFrame): Strides {
  return changetype<Strides>(changetype<usize>(frame) + offsetof<RotaryFrame>("batchStride"));
}
