// Rotary embeddings: pairs of a head's dimensions turned by an angle that grows with the
// position (Su et al. 2021, "RoFormer").
//
//   x₀′ = x₀·cos − x₁·sin,  x₁′ = x₁·cos + x₀·sin        angle = position · frequency
//
// [B, H, L, D] → the same by strides; dimensions past the pairs are copied. The angles of
// one position are found once and used for every head. An angle is the float32 product
// that the references take; its sine and cosine are exact to float32.

import { Slot } from "./frame";
import { address, element, number, size } from "./slots";
import { cosine, sine } from "./transcendental";

export function rotate(frame: usize): void {
  for (let b = 0; b < size(frame, Slot.batch); b++) {
    for (let row = 0; row < size(frame, Slot.queries); row++) {
      findAngles(frame, b, row);
      for (let h = 0; h < size(frame, Slot.heads); h++) {
        rotateRow(
          frame,
          element(frame, Slot.query, Slot.queryBatch, b, h, row),
          element(frame, Slot.output, Slot.outputBatch, b, h, row),
        );
      }
    }
  }
}

/** Cosine and sine of every pair at row `row` of batch b. */
function findAngles(frame: usize, b: i32, row: i32): void {
  const pairs = size(frame, Slot.pairs);
  const cosines = address(frame, Slot.angles);
  const sines = cosines + ((<usize>pairs) << 2);
  const factor = number(frame, Slot.factor);
  const frequencies = address(frame, Slot.frequencies);
  for (let i = 0; i < pairs; i++) {
    const at = (<usize>i) << 2;
    const axis = <i32>load<u8>(address(frame, Slot.axes) + <usize>i);
    const index = (axis * size(frame, Slot.batch) + b) * size(frame, Slot.queries) + row;
    const position = load<i32>(address(frame, Slot.positions) + ((<usize>index) << 2));
    if (frequencies) {
      const angle = <f64>(<f32>(<f32>position * load<f32>(frequencies + at)));
      store<f32>(cosines + at, <f32>cosine(angle) * factor);
      store<f32>(sines + at, <f32>sine(angle) * factor);
    } else if (position < 0) {
      store<f32>(cosines + at, 1);
      store<f32>(sines + at, 0);
    } else {
      const cell = (<usize>position * <usize>pairs + <usize>i) << 2;
      store<f32>(cosines + at, load<f32>(address(frame, Slot.cosines) + cell) * factor);
      store<f32>(sines + at, load<f32>(address(frame, Slot.sines) + cell) * factor);
    }
  }
}

/** Source and target may be the same row. */
function rotateRow(frame: usize, source: usize, target: usize): void {
  const pairs = size(frame, Slot.pairs);
  const cosines = address(frame, Slot.angles);
  const sines = cosines + ((<usize>pairs) << 2);
  const interleaved = size(frame, Slot.interleaved) != 0;
  const step: usize = interleaved ? 8 : 4;
  const apart: usize = interleaved ? 4 : (<usize>pairs) << 2;
  for (let i: usize = 0; i < <usize>pairs; i++) {
    const cos = load<f32>(cosines + (i << 2));
    const sin = load<f32>(sines + (i << 2));
    const at = i * step;
    const x0 = load<f32>(source + at);
    const x1 = load<f32>(source + at + apart);
    store<f32>(target + at, x0 * cos - x1 * sin);
    store<f32>(target + at + apart, x1 * cos + x0 * sin);
  }
  const turned = (<usize>pairs) << 3;
  if (source != target) {
    memory.copy(target + turned, source + turned, (address(frame, Slot.headSize) << 2) - turned);
  }
}
