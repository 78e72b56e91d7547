// float32 weights rounded to few bits, `block` of them to a scale:
//
//   int8   scale = max |w| / 127, the nearest number, halves to even
//   int4   scale = the largest by magnitude / −8, the number of ggml's q4_0: ⌊w/scale + 8.5⌋, at most 15
//
// A block with NaN or infinity has a scale of NaN.

import { QuantizedFrame } from "./frame";
import { isInt4, putNumber } from "./panel";
import { elementAt, Place, putScale } from "./place";

// @ts-ignore: decorator
@inline
function weightAt(frame: QuantizedFrame, column: i32, i: i32): f32 {
  return load<f32>(frame.weight + (elementAt(frame, column, i) << 2));
}

export function packFloats(frame: QuantizedFrame, place: Place): void {
  const eight = !isInt4(frame.numbers);
  const largest = largestOf(frame, place);
  const finite = largest - largest == 0;
  const scale: f32 = finite ? largest / (eight ? <f32>127 : <f32>-8) : <f32>NaN;
  const inverse: f32 = finite ? <f32>1 / scale : 0;
  // So small that there is no inverse: zeros.
  const small = !(abs<f32>(inverse) < <f32>Infinity);
  putScale(frame, place, small ? 0 : scale, 0);
  for (let i = 0; i < place.count; i++) {
    const scaled: f32 = small ? 0 : weightAt(frame, place.column, place.from + i) * inverse;
    let number = eight ? 0 : 8;
    if (finite) number = eight ? <i32>nearest(scaled) : min(<i32>(scaled + <f32>8.5), 15);
    putNumber(frame.numbers, place.numbers, place.column & 7, i, number);
  }
}

/** The largest of the block by magnitude, of equal ones the first, with its sign; of int8 without. */
function largestOf(frame: QuantizedFrame, place: Place): f32 {
  const start = place.from - (place.from % frame.block);
  const end = min(start + frame.block, frame.depth);
  let largest: f32 = 0;
  for (let i = start; i < end; i++) {
    const w = weightAt(frame, place.column, i);
    if (!(abs<f32>(w) <= abs<f32>(largest))) largest = w;
    if (w != w) return w;
  }
  return isInt4(frame.numbers) ? largest : abs<f32>(largest);
}
