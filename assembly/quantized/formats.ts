// Weights as files hold them: nothing is rounded, numbers and scales are only moved.
//
//   bits       com.microsoft.MatMulNBits: [columns][blocks][block · bits / 8] bytes, low bits first, (q − z) · scale
//   q8_0 …     ggml's blocks of 32, ggml/src/ggml-common.h: a scale d of float16, in the …_1 an offset m, in the
//              q5 the fifth bits, the numbers; in halves of a byte i and i + 16
//   integers   bytes [depth × columns], as the right side of MatMulInteger: (q − z) · scale
//   halves     16 bits each, float16 or bfloat16

import { WeightFormat } from "../kinds";
import { QuantizedFrame } from "./frame";
import { putNumber } from "./panel";
import { elementAt, Place, putScale } from "./place";

export function packBits(frame: QuantizedFrame, place: Place): void {
  const bits = frame.bits;
  const blocks = (frame.depth + frame.block - 1) / frame.block;
  const block = place.from / frame.block;
  const index = <usize>place.column * <usize>blocks + <usize>block;
  // Numbers without a zero point stand around the middle.
  const middle = 1 << (bits - 1);
  let zero = <f32>middle;
  if (frame.zeros) {
    if (frame.zerosAreFloats) zero = load<f32>(frame.zeros + (index << 2));
    else {
      const row = <usize>((blocks * bits + 7) >> 3);
      zero = <f32>bitsAt(frame.zeros + <usize>place.column * row, block, bits);
    }
  }
  const scale = load<f32>(frame.scales + (index << 2));
  putScale(frame, place, scale, <f32>middle - zero);
  const source = frame.weight + ((index * <usize>frame.block * <usize>bits) >> 3);
  const first = place.from - block * frame.block;
  const shift = bits == 8 ? 128 : bits == 2 ? -6 : 0;
  for (let i = 0; i < place.count; i++) {
    const number = bitsAt(source, first + i, bits) - shift;
    putNumber(frame.numbers, place.numbers, place.column & 7, i, number);
  }
}

/** The `i`-th number of so many bits. */
// @ts-ignore: decorator
@inline
function bitsAt(source: usize, i: i32, bits: i32): i32 {
  const at = i * bits;
  return ((<i32>load<u8>(source + <usize>(at >> 3))) >> (at & 7)) & ((1 << bits) - 1);
}

export function packBlock32(frame: QuantizedFrame, place: Place): void {
  const format = frame.format;
  const bytes = blockBytes(format);
  const index = <usize>place.column * <usize>(frame.depth >> 5) + <usize>(place.from >> 5);
  let source = frame.weight + index * bytes;
  const scale = halfToFloat(load<u16>(source));
  const behind = format == WeightFormat.q4_1 || format == WeightFormat.q5_1;
  putScale(frame, place, scale, behind ? halfToFloat(load<u16>(source, 2)) : 0);
  source += behind ? 4 : 2;
  const five = format == WeightFormat.q5_0 || format == WeightFormat.q5_1;
  const fifths = five ? load<u32>(source) : 0;
  if (five) source += 4;
  const less = format == WeightFormat.q5_0 ? 16 : 0;
  for (let i = 0; i < 32; i++) {
    let number: i32;
    if (format == WeightFormat.q8_0) number = load<i8>(source + <usize>i);
    else {
      const pair = <i32>load<u8>(source + <usize>(i & 15));
      number = ((i < 16 ? pair : pair >> 4) & 15) | ((<i32>((fifths >> i) & 1)) << 4);
      number -= less;
    }
    putNumber(frame.numbers, place.numbers, place.column & 7, i, number);
  }
}

function blockBytes(format: i32): usize {
  if (format == WeightFormat.q8_0) return 34;
  if (format == WeightFormat.q4_0) return 18;
  if (format == WeightFormat.q4_1) return 20;
  return format == WeightFormat.q5_0 ? 22 : 24;
}

export function packIntegers(frame: QuantizedFrame, place: Place): void {
  const middle = frame.unsigned ? 128 : 0;
  const column = <usize>place.column;
  let zero: i32 = 0;
  if (frame.zeros) {
    const at = frame.zeros + (frame.zeroCount == 1 ? 0 : column);
    zero = frame.unsigned ? <i32>load<u8>(at) : <i32>load<i8>(at);
  }
  const scale = load<f32>(frame.scales + (frame.scaleCount == 1 ? 0 : column << 2));
  putScale(frame, place, scale, <f32>(middle - zero));
  for (let i = 0; i < place.count; i++) {
    const at = frame.weight + elementAt(frame, place.column, place.from + i);
    const number = frame.unsigned ? <i32>load<u8>(at) - 128 : <i32>load<i8>(at);
    putNumber(frame.numbers, place.numbers, place.column & 7, i, number);
  }
}

export function packHalves(frame: QuantizedFrame, place: Place): void {
  for (let i = 0; i < place.count; i++) {
    const at = frame.weight + (elementAt(frame, place.column, place.from + i) << 1);
    putNumber(frame.numbers, place.numbers, place.column & 7, i, <i32>load<u16>(at));
  }
}

/** float16 → float32; every value is exact. */
export function halfToFloat(half: u32): f32 {
  const sign = (half & 0x8000) << 16;
  const digits = half & 0x7fff;
  if (digits >= 0x7c00) return reinterpret<f32>(sign | 0x7f800000 | ((digits & 0x3ff) << 13));
  // The same digits 112 powers of two too small.
  const small = reinterpret<f32>(digits << 13) * reinterpret<f32>((127 + 112) << 23);
  return reinterpret<f32>(reinterpret<u32>(small) | sign);
}
