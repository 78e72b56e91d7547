// Attention over disjoint sets of keys, made into attention over their union:
//
//   m = max lseᵢ,  wᵢ = e^(lseᵢ − m),  output = Σ wᵢ·outputᵢ / Σ wᵢ,  lse = m + ln Σ wᵢ
//
// (FlashInfer, "Cascade inference: recursive attention".) A part that saw nothing (lse = −∞) weighs
// nothing, whatever its output holds. Outputs [B, H, L, Dv] by the same strides; lse [B, H, L].

import { finiteBase, logSumExp, rescaling } from "../softmax/state";
import { rowAt } from "../strided";
import { MergeFrame, outputStrides, partOf } from "./frame";

export function mergeStates(frame: MergeFrame): void {
  let state: usize = 0;
  for (let b = 0; b < frame.batch; b++) {
    for (let h = 0; h < frame.heads; h++) {
      for (let row = 0; row < frame.queries; row++) {
        mergeRow(frame, rowAt(0, outputStrides(frame), b, h, row), state);
        state += 4;
      }
    }
  }
}

/** `row` and `state` are the row's byte offsets in every output and in every logSumExp. */
function mergeRow(frame: MergeFrame, row: usize, state: usize): void {
  const target = frame.output + row;
  const bytes = (<usize>frame.valueSize) << 2;
  let m: f32 = -(<f32>Infinity);
  for (let i = 0; i < frame.partCount; i++) {
    const lse = load<f32>(partOf(frame, i).logSumExp + state);
    if (lse > m || lse != lse) m = lse;
  }
  memory.fill(target, 0, bytes);
  let sum: f32 = 0;
  for (let i = 0; i < frame.partCount; i++) {
    const part = partOf(frame, i);
    const lse = load<f32>(part.logSumExp + state);
    if (lse == -(<f32>Infinity)) continue;
    const weight = rescaling(lse, finiteBase(m));
    const source = part.output + row;
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
  store<f32>(frame.logSumExp + state, logSumExp(m, sum));
}
