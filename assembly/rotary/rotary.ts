// Rotary embeddings: pairs of a head's dimensions rotated by an angle that grows with the position
// (Su et al. 2021, "RoFormer").
//
//   x₀′ = x₀·cos − x₁·sin,  x₁′ = x₁·cos + x₀·sin        angle = position · frequency
//
// [B, H, L, D] → the same by strides; dimensions past the pairs are copied. The angles of one position
// are found once and used for every head. An angle is the float32 product that the references take;
// its sine and cosine are exact to float32.

import { rowAt } from "../strided";
import { cosine, sine } from "../transcendental";
import { RotaryFrame, strides } from "./frame";

export function rotate(frame: RotaryFrame): void {
  for (let b = 0; b < frame.batch; b++) {
    for (let row = 0; row < frame.queries; row++) {
      findAngles(frame, b, row);
      for (let h = 0; h < frame.heads; h++) {
        const offset = rowAt(0, strides(frame), b, h, row);
        rotateRow(frame, frame.input + offset, frame.result + offset);
      }
    }
  }
}

/** Cosine and sine of every pair at row `row` of batch b. */
function findAngles(frame: RotaryFrame, b: i32, row: i32): void {
  const pairs = frame.pairs;
  const cosines = frame.angles;
  const sines = cosines + ((<usize>pairs) << 2);
  for (let i = 0; i < pairs; i++) {
    const at = (<usize>i) << 2;
    const axis = <i32>load<u8>(frame.axes + <usize>i);
    const index = <usize>(axis * frame.batch + b) * <usize>frame.queries + <usize>row;
    const position = load<i32>(frame.positions + (index << 2));
    if (frame.frequencies) {
      const angle = <f64>(<f32>(<f32>position * load<f32>(frame.frequencies + at)));
      store<f32>(cosines + at, <f32>cosine(angle) * frame.factor);
      store<f32>(sines + at, <f32>sine(angle) * frame.factor);
    } else if (position < 0) {
      store<f32>(cosines + at, 1);
      store<f32>(sines + at, 0);
    } else {
      const cell = (<usize>position * <usize>pairs + <usize>i) << 2;
      store<f32>(cosines + at, load<f32>(frame.cosines + cell) * frame.factor);
      store<f32>(sines + at, load<f32>(frame.sines + cell) * frame.factor);
    }
  }
}

/** Source and target may be the same row. */
function rotateRow(frame: RotaryFrame, source: usize, target: usize): void {
  const pairs = frame.pairs;
  const cosines = frame.angles;
  const sines = cosines + ((<usize>pairs) << 2);
  const step: usize = frame.interleaved ? 8 : 4;
  const second: usize = frame.interleaved ? 4 : (<usize>pairs) << 2;
  for (let i: usize = 0; i < <usize>pairs; i++) {
    const cos = load<f32>(cosines + (i << 2));
    const sin = load<f32>(sines + (i << 2));
    const at = i * step;
    const x0 = load<f32>(source + at);
    const x1 = load<f32>(source + at + second);
    store<f32>(target + at, x0 * cos - x1 * sin);
    store<f32>(target + at + second, x1 * cos + x0 * sin);
  }
  const rotated = (<usize>pairs) << 3;
  if (source != target) {
    memory.copy(target + rotated, source + rotated, ((<usize>frame.headSize) << 2) - rotated);
  }
}
