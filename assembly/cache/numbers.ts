// How a row of D numbers is stored, and read back as float32:
//
//   float32  D floats
//   int16    scale, D of 16 bits       x = q · scale, scale = max |x| / 32767, q = x · (1/scale)
//   int8     scale, D of 8 bits        scale = max |x| / 127
//   int4     for each 32: scale, 16 bytes of two numbers, j and j + 16 (ggml's q4_0, its scale in
//            float32): x = (q − 8) · scale, scale = the largest by magnitude / −8
//
// A row is a whole number of words. Numbers are rounded to the nearest, halves to even; in int4 as ggml does.
// A row, or a block of int4, with NaN or infinity becomes NaN. Every operation is one IEEE rounding: the
// same bits in every build.

import { NumbersKind } from "../kinds";
import { largerMagnitude, largestOfFour, magnitudeMask } from "../simd/magnitude";
import { nearestFour, roundingShift } from "../simd/round";

const BLOCK: i32 = 32;
export const BLOCK_BYTES: usize = 20;
/** Before the numbers of a row or block. */
export const SCALE: usize = 4;

/** Stores `size` floats as a row. */
export function encodeRow(numbers: i32, source: usize, size: i32, row: usize): void {
  if (numbers == NumbersKind.int4) {
    for (let i = 0; i < size; i += BLOCK) {
      encodeBlock(source + ((<usize>i) << 2), min(size - i, BLOCK), row);
      row += BLOCK_BYTES;
    }
    return;
  }
  const largest = magnitude(source, size);
  const most: f32 = numbers == NumbersKind.int8 ? 127 : 32767;
  const finite = largest - largest == 0;
  store<f32>(row, finite ? largest / most : NaN);
  const inverse = inverseOf(finite ? largest / most : <f32>0);
  const eight = numbers == NumbersKind.int8;
  row += 4;
  if (!inverse) {
    memory.fill(row, 0, (<usize>size) << (eight ? 0 : 1));
    return;
  }
  const whole = (<usize>size) & ~7;
  const factor = f32x4.splat(inverse);
  const shift = roundingShift();
  for (let i: usize = 0; i < whole; i += 8) {
    const q = roundedEight(source + (i << 2), factor, shift);
    if (eight) v128.store64_lane(row + i, i8x16.narrow_i16x8_s(q, q), 0);
    else v128.store(row + (i << 1), q);
  }
  for (let i = whole; i < <usize>size; i++) {
    const q = <i32>nearest(load<f32>(source + (i << 2)) * inverse);
    if (eight) store<i8>(row + i, <i8>q);
    else store<i16>(row + (i << 1), <i16>q);
  }
}

/** Eight numbers times a factor, as integers of 16 bits. */
// @ts-ignore: decorator
@inline
export function roundedEight(source: usize, factor: v128, shift: v128): v128 {
  const low = nearestFour(f32x4.mul(v128.load(source), factor), shift);
  const high = nearestFour(f32x4.mul(v128.load(source, 16), factor), shift);
  return i16x8.narrow_i32x4_s(low, high);
}

/** 0 of a scale so small that there is none: the row becomes 0. */
function inverseOf(scale: f32): f32 {
  const inverse: f32 = <f32>1 / scale;
  return abs<f32>(inverse) < <f32>Infinity ? inverse : <f32>0;
}

export function magnitude(source: usize, size: i32): f32 {
  const whole = (<usize>size) & ~3;
  const mask = magnitudeMask();
  let most = i32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 4) {
    most = largerMagnitude(most, v128.load(source + (i << 2)), mask);
  }
  let largest = largestOfFour(most);
  for (let i = whole; i < <usize>size; i++) {
    largest = max(largest, abs(load<f32>(source + (i << 2))));
  }
  return largest;
}

function encodeBlock(source: usize, size: i32, block: usize): void {
  const most = magnitude(source, size);
  const finite = most - most == 0;
  // The first that is as large, with its sign.
  let at = source;
  while (finite && abs(load<f32>(at)) != most) at += 4;
  const largest = load<f32>(at);
  const scale: f32 = finite ? (largest ? largest / -8 : 0) : <f32>NaN;
  store<f32>(block, scale);
  const inverse = inverseOf(finite ? scale : <f32>0);
  if (size == BLOCK) {
    const high = i8x16.shl(nibbles(source + 64, inverse), 4);
    v128.store(block, v128.or(nibbles(source, inverse), high), 4);
    return;
  }
  for (let i: usize = 0; i < 16; i++) {
    const low = nibble(source, i, size, inverse);
    store<u8>(block + i, low | (nibble(source, i + 16, size, inverse) << 4), 4);
  }
}

/** Sixteen numbers, as nibble. */
// @ts-ignore: decorator
@inline
function nibbles(source: usize, inverse: f32): v128 {
  const low = i16x8.narrow_i32x4_s(fourNibbles(source, inverse), fourNibbles(source + 16, inverse));
  source += 32;
  const high = i16x8.narrow_i32x4_s(
    fourNibbles(source, inverse),
    fourNibbles(source + 16, inverse),
  );
  return i8x16.min_u(i8x16.narrow_i16x8_u(low, high), i8x16.splat(15));
}

// @ts-ignore: decorator
@inline
function fourNibbles(source: usize, inverse: f32): v128 {
  const scaled = f32x4.mul(v128.load(source), f32x4.splat(inverse));
  return i32x4.trunc_sat_f32x4_s(f32x4.add(scaled, f32x4.splat(8.5)));
}

/** 8 stands for 0. */
// @ts-ignore: decorator
@inline
function nibble(source: usize, i: usize, size: i32, inverse: f32): i32 {
  const x: f32 = i < <usize>size ? load<f32>(source + (i << 2)) * inverse : 0;
  return min(<i32>(x + 8.5), 15);
}

/** `rows` rows, `stride` words apart, as rows of `size` floats, `step` floats apart. */
export function decodeRows(
  numbers: i32,
  source: usize,
  stride: usize,
  target: usize,
  rows: i32,
  size: i32,
): void {
  for (let i = 0; i < rows; i++) {
    if (numbers == NumbersKind.int16) decode16(source, size, target);
    else if (numbers == NumbersKind.int8) decode8(source, size, target);
    else decode4(source, size, target);
    source += stride << 2;
    target += (<usize>size) << 2;
  }
}

function decode16(row: usize, size: i32, target: usize): void {
  const scale = v128.load32_splat(row);
  const whole = (<usize>size) & ~7;
  row += 4;
  for (let i: usize = 0; i < whole; i += 8) {
    const q = v128.load(row + (i << 1));
    store8(q, scale, target + (i << 2));
  }
  for (let i = whole; i < <usize>size; i++) {
    store<f32>(target + (i << 2), <f32>load<i16>(row + (i << 1)) * f32x4.extract_lane(scale, 0));
  }
}

function decode8(row: usize, size: i32, target: usize): void {
  const scale = v128.load32_splat(row);
  const whole = (<usize>size) & ~7;
  row += 4;
  for (let i: usize = 0; i < whole; i += 8) {
    store8(v128.load_ext<i8>(row + i), scale, target + (i << 2));
  }
  for (let i = whole; i < <usize>size; i++) {
    store<f32>(target + (i << 2), <f32>load<i8>(row + i) * f32x4.extract_lane(scale, 0));
  }
}

function decode4(row: usize, size: i32, target: usize): void {
  const eight = i8x16.splat(8);
  for (; size >= BLOCK; size -= BLOCK) {
    const scale = v128.load32_splat(row);
    const pairs = v128.load(row, 4);
    const low = i8x16.sub(v128.and(pairs, i8x16.splat(15)), eight);
    const high = i8x16.sub(i8x16.shr_u(pairs, 4), eight);
    store8(i16x8.extend_low_i8x16_s(low), scale, target);
    store8(i16x8.extend_high_i8x16_s(low), scale, target + 32);
    store8(i16x8.extend_low_i8x16_s(high), scale, target + 64);
    store8(i16x8.extend_high_i8x16_s(high), scale, target + 96);
    row += BLOCK_BYTES;
    target += BLOCK << 2;
  }
  for (let i: usize = 0; i < <usize>size; i++) {
    const pair = <i32>load<u8>(row + (i & 15), 4);
    const q = (i < 16 ? pair & 15 : pair >> 4) - 8;
    store<f32>(target + (i << 2), <f32>q * load<f32>(row));
  }
}

/** Eight 16-bit numbers times a scale. */
// @ts-ignore: decorator
@inline
function store8(q: v128, scale: v128, target: usize): void {
  const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(q));
  const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(q));
  v128.store(target, f32x4.mul(low, scale));
  v128.store(target, f32x4.mul(high, scale), 16);
}
