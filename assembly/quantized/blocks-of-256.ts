// ggml's blocks of 256 numbers (ggml/src/ggml-common.h, dequantize_row_… of ggml-quants.c), a part of 16 or 32
// of which has a scale and mostly a minimum of few bits, times the block's own of float16. Each such product is
// exact in float32, and so is a number times it.
//
//   q2_K   scales and minima [16] of 4 bits, numbers of 2, d, dmin            d·s·q − dmin·m
//   q3_K   third bits, numbers of 2, scales [16] of 6 bits, d                 d·(s − 32)·(q − 4)
//   q4_K   d, dmin, scales and minima [8] of 6 bits, numbers of 4             d·s·q − dmin·m
//   q5_K   d, dmin, the same scales, fifth bits, numbers of 4                 d·s·q − dmin·m
//   q6_K   numbers of 4, their high 2 bits, scales [16] of 8 bits, d          d·s·(q − 32)

import { WeightFormat } from "../kinds";
import { halfToFloat } from "./formats";
import { QuantizedFrame } from "./frame";
import { putNumber } from "./panel";
import { Place, putScale } from "./place";

// @ts-ignore: decorator
@inline
function blockBytes(format: i32): usize {
  if (format == WeightFormat.q2_K) return 84;
  if (format == WeightFormat.q3_K) return 110;
  if (format == WeightFormat.q4_K) return 144;
  return format == WeightFormat.q5_K ? 176 : 210;
}

export function packBlock256(frame: QuantizedFrame, place: Place): void {
  const format = frame.format;
  const index = <usize>place.column * <usize>(frame.depth >> 8) + <usize>(place.from >> 8);
  const block = frame.weight + index * blockBytes(format);
  const first = place.from & 255;
  putScales(frame, place, block, first);
  for (let i = 0; i < place.count; i++) {
    const number = numberAt(format, block, first + i);
    putNumber(frame.numbers, place.numbers, place.column & 7, i, number);
  }
}

/** Of the part whose first number is `first`. */
function putScales(frame: QuantizedFrame, place: Place, block: usize, first: i32): void {
  const format = frame.format;
  if (format == WeightFormat.q2_K) {
    const both = <i32>load<u8>(block + <usize>(first >> 4));
    const d = halfToFloat(load<u16>(block, 80));
    const least = halfToFloat(load<u16>(block, 82));
    putScale(frame, place, d * <f32>(both & 15), -(least * <f32>(both >> 4)));
  } else if (format == WeightFormat.q3_K) {
    const i = first >> 4;
    const low = (<i32>load<u8>(block + <usize>(i & 7), 96)) >> (i & 8 ? 4 : 0);
    const high = (<i32>load<u8>(block + <usize>(i & 3), 104)) >> ((i >> 2) << 1);
    const scale = ((low & 15) | ((high & 3) << 4)) - 32;
    putScale(frame, place, halfToFloat(load<u16>(block, 108)) * <f32>scale, 0);
  } else if (format == WeightFormat.q6_K) {
    const scale = <f32>load<i8>(block + <usize>(first >> 4), 192);
    putScale(frame, place, halfToFloat(load<u16>(block, 208)) * scale, 0);
  } else {
    const d = halfToFloat(load<u16>(block));
    const least = halfToFloat(load<u16>(block, 2));
    const i = first >> 5;
    putScale(frame, place, d * <f32>sixBits(block, i, 0), -(least * <f32>sixBits(block, i, 4)));
  }
}

/** Scale `i` of eight or, from 4, minimum: of the last four the low bits in four bytes, the high ones in eight. */
function sixBits(block: usize, i: i32, from: i32): i32 {
  const scales = block + 4;
  if (i < 4) return (<i32>load<u8>(scales + <usize>(i + from))) & 63;
  const low = (<i32>load<u8>(scales + <usize>(i + 4))) >> from;
  const high = (<i32>load<u8>(scales + <usize>(i - 4 + from))) >> 6;
  return (low & 15) | (high << 4);
}

/** As they are kept: in 4 bits, of q3_K from the center on, or in 8 with their sign. */
function numberAt(format: i32, block: usize, j: i32): i32 {
  const of32 = <usize>(j & 31);
  const half = j >> 7;
  const quarter = (j >> 5) & 3;
  if (format == WeightFormat.q2_K || format == WeightFormat.q3_K) {
    const numbers = block + (format == WeightFormat.q2_K ? 16 : 32);
    const two = ((<i32>load<u8>(numbers + <usize>(half << 5) + of32)) >> (quarter << 1)) & 3;
    if (format == WeightFormat.q2_K) return two;
    const third = ((<i32>load<u8>(block + of32)) >> (j >> 5)) & 1;
    return two + (third << 2) + 4;
  }
  if (format == WeightFormat.q6_K) {
    const at = block + <usize>((half << 6) + ((quarter & 1) << 5)) + of32;
    const four = ((<i32>load<u8>(at)) >> (quarter < 2 ? 0 : 4)) & 15;
    const two = ((<i32>load<u8>(block + <usize>(half << 5) + of32, 128)) >> (quarter << 1)) & 3;
    return (four | (two << 4)) - 32;
  }
  const part = j >> 5;
  const numbers = block + (format == WeightFormat.q5_K ? 48 : 16);
  const four =
    ((<i32>load<u8>(numbers + <usize>((part >> 1) << 5) + of32)) >> ((part & 1) << 2)) & 15;
  if (format == WeightFormat.q4_K) return four;
  return four | ((((<i32>load<u8>(block + of32, 16)) >> part) & 1) << 4);
}
