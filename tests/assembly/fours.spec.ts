import { WeightNumbers } from "../../assembly/kinds";
import { planeBytes, planesOf } from "../../assembly/quantized/fours-input";
import { QuantizedFrame } from "../../assembly/quantized/frame";
import { Input, numbersOf, sumsOf } from "../../assembly/quantized/input";
import { roundRows } from "../../assembly/quantized/rounding";

const frame = changetype<QuantizedFrame>(memory.data(offsetof<QuantizedFrame>(), 16));
const input = changetype<Input>(memory.data(32768, 16));
const source = memory.data(4096, 16);

let state: u32 = 2026;
function next(): f32 {
  state = state * 1664525 + 1013904223;
  return <f32>(<f64>state / 2147483648 - 1);
}

/** x̂ of row i and input k, out of its byte or of both. */
function integerAt(i: i32, k: i32, rows: i32): i32 {
  const at = numbersOf(input, i) + <usize>(rows == 1 ? k : (k >> 2) * 16 + (i & 3) * 4 + (k & 3));
  const high = <i32>load<u8>(at);
  const two = planesOf(frame) == 2;
  const whole = two ? (high << 7) | (<i32>load<u8>(at + planeBytes(frame, input))) : high;
  return whole - frame.most - 1;
}

/** Integers and sums of segments that are not those of x over its largest. */
function wrongOf(rows: i32, count: i32, segment: i32): i32 {
  frame.segment = segment;
  frame.depth = count;
  for (let n = 0; n < rows * count; n++) store<f32>(source + ((<usize>n) << 2), next());
  roundRows(frame, source, rows, count, input);
  let wrong = 0;
  for (let i = 0; i < rows; i++) {
    const row = source + ((<usize>(i * count)) << 2);
    let largest: f32 = 0;
    for (let k = 0; k < count; k++) {
      largest = max<f32>(largest, abs<f32>(load<f32>(row + ((<usize>k) << 2))));
    }
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const x = load<f32>(row + ((<usize>k) << 2)) * (<f32>frame.most / largest);
      const want = <i32>nearest<f32>(x);
      if (integerAt(i, k, rows) != want) wrong++;
      sum += want;
      if (k + 1 < count && (k + 1) % segment) continue;
      const at = sumsOf(input, i) + ((<usize>(i & 3)) << 2) + ((<usize>(k / segment)) << 4);
      if (load<i32>(at) != sum) wrong++;
      sum = 0;
    }
  }
  return wrong;
}

describe("roundFours", () => {
  test("has every integer in one plane of bytes and in two, to the last of a row", () => {
    frame.numbers = WeightNumbers.int8Fours;
    const counts: i32[] = [1, 2, 3, 4, 5, 7, 8, 9, 15, 17, 40, 67];
    for (let plane = 0; plane < 2; plane++) {
      frame.most = plane ? 8191 : 63;
      for (let c = 0; c < counts.length; c++)
        for (let rows = 1; rows <= 6; rows++) {
          expect(wrongOf(rows, counts[c], 16)).toBe(0);
          expect(wrongOf(rows, counts[c], 32)).toBe(0);
        }
    }
  });
});
