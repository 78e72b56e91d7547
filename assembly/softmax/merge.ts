// Attention over disjoint sets of keys, made into attention over their union:
//
//   m = max lseᵢ,  wᵢ = e^(lseᵢ − m),  output = Σ wᵢ·outputᵢ / Σ wᵢ,  lse = m + ln Σ wᵢ
//
// (FlashInfer, "Cascade inference: recursive attention".) A part that saw nothing
// (lse = −∞) weighs nothing, whatever its output holds. Outputs [B, H, L, Dv] by the
// strides of Slot.output, the same for every part; lse [B, H, L].

import { Slot } from "../frame";
import { exp } from "../simd/exp";
import { address, element, size } from "../slots";
import { baseOf, logSumExp } from "./state";

/** Address of part `index`'s output (which = 0) or logSumExp (1). */
// @ts-ignore: decorator
@inline
function part(frame: usize, index: i32, which: usize): usize {
  return load<usize>(address(frame, Slot.parts) + ((<usize>index) << 3) + (which << 2));
}

export function mergeStates(frame: usize): void {
  let state: usize = 0;
  for (let b = 0; b < size(frame, Slot.batch); b++) {
    for (let h = 0; h < size(frame, Slot.heads); h++) {
      for (let row = 0; row < size(frame, Slot.queries); row++) {
        mergeRow(frame, element(frame, Slot.output, Slot.outputBatch, b, h, row), state);
        state += 4;
      }
    }
  }
}

/** `state` is the row's byte offset in every logSumExp. */
function mergeRow(frame: usize, target: usize, state: usize): void {
  const count = size(frame, Slot.partCount);
  const row = target - address(frame, Slot.output);
  const bytes = address(frame, Slot.valueSize) << 2;
  let m: f32 = -(<f32>Infinity);
  for (let i = 0; i < count; i++) {
    const lse = load<f32>(part(frame, i, 1) + state);
    if (lse > m || lse != lse) m = lse;
  }
  memory.fill(target, 0, bytes);
  let sum: f32 = 0;
  for (let i = 0; i < count; i++) {
    const lse = load<f32>(part(frame, i, 1) + state);
    if (lse == -(<f32>Infinity)) continue;
    const distance = f32x4.splat(lse - baseOf(m));
    const weight = f32x4.extract_lane(exp(distance), 0);
    const source = part(frame, i, 0) + row;
    sum += weight;
    for (let at: usize = 0; at < bytes; at += 4) {
      store<f32>(target + at, load<f32>(target + at) + weight * load<f32>(source + at));
    }
  }
  if (sum != 0) {
    for (let at: usize = 0; at < bytes; at += 4) {
      store<f32>(target + at, load<f32>(target + at) / sum);
    }
  }
  store<f32>(address(frame, Slot.logSumExp) + state, logSumExp(m, sum));
}
