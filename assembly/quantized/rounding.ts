// Rounds rows of x, see input.ts.

import { largerMagnitude, largestOfFour, magnitudeMask } from "../simd/magnitude";
import { roundingShift } from "../simd/round";
import { QuantizedFrame } from "./frame";
import { roundFours } from "./fours-input";
import { Input, numbersOf, onesOfWords, rounded, roundedOne, scalesOf, sumsOf } from "./input";
import { inFours } from "./panel";

/** Below it a scale would not have all its digits. */
const LEAST: f32 = reinterpret<f32>((127 - 100) << 23);

/** Rounds `count` inputs of `rows` rows of x, the first of which is at `source`. */
export function roundRows(
  frame: QuantizedFrame,
  source: usize,
  rows: i32,
  count: i32,
  input: Input,
): void {
  input.special = 0;
  input.rows = rows;
  input.count = count;
  const whole = (<usize>count + 3) & ~3;
  input.panel = whole << (inFours(frame.numbers) && frame.most < 128 ? 2 : 3);
  const most = <f32>frame.most;
  memory.fill(numbersOf(input, 0), 0, <usize>((rows + 3) >> 2) * input.panel);
  for (let i = 0; i < rows; i++) {
    const largest = magnitude(source, count);
    const normal = largest >= LEAST && largest < <f32>Infinity;
    if (!normal && largest != 0) input.special |= (<u64>1) << i;
    store<f32>(scalesOf(input) + ((<usize>i) << 2), normal ? largest / most : 0);
    const inverse: f32 = normal ? most / largest : 0;
    if (inFours(frame.numbers)) roundFours(frame, source, inverse, i, input);
    else roundRow(frame, source, inverse, i, input);
    source += (<usize>frame.depth) << 2;
  }
}

function roundRow(
  frame: QuantizedFrame,
  source: usize,
  inverse: f32,
  row: i32,
  input: Input,
): void {
  const count = input.count;
  const segment = frame.segment;
  const one = input.rows == 1;
  const step: usize = one ? 4 : 16;
  const lane = (<usize>(row & 3)) << 2;
  let target = numbersOf(input, row) + (one ? 0 : lane);
  let sum = sumsOf(input, row) + lane;
  const factor = f32x4.splat(inverse);
  const shift = roundingShift();
  const ones = onesOfWords();
  for (let from = 0; from < count; from += segment) {
    const end = min(from + segment, count);
    let sums = i32x4.splat(0);
    let rest = 0;
    let i = from;
    // Of a special row every product is NaN or 0, and so is its integer.
    for (; i + 8 <= end; i += 8) {
      const at = source + ((<usize>i) << 2);
      const q = rounded(at, factor, shift);
      sums = i32x4.add(sums, i32x4.dot_i16x8_s(q, ones));
      if (one) v128.store(target, q);
      else {
        v128.store32_lane(target, q, 0);
        v128.store32_lane(target, q, 1, 16);
        v128.store32_lane(target, q, 2, 32);
        v128.store32_lane(target, q, 3, 48);
      }
      target += step << 2;
    }
    for (; i < end; i++) {
      const q = roundedOne(source + ((<usize>i) << 2), inverse);
      rest += q;
      store<i16>(target + ((<usize>(i & 1)) << 1), <i16>q);
      if (i & 1) target += step;
    }
    const low = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1);
    const high = i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
    store<i32>(sum, low + high + rest);
    sum += 16;
  }
}

/** max |x|, NaN of a NaN. */
function magnitude(source: usize, count: i32): f32 {
  const mask = magnitudeMask();
  let most = i32x4.splat(0);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    most = largerMagnitude(most, v128.load(source + ((<usize>i) << 2)), mask);
  }
  let largest = largestOfFour(most);
  for (; i < count; i++) largest = max(largest, abs(load<f32>(source + ((<usize>i) << 2))));
  return largest;
}
