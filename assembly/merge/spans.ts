// The states of spans of keys, merged in their order as the tile loop merges them, and finished.
//
// A state has, for all rows: output [rows][columns], m [rows], l [rows], as attend leaves them (attend/rows.ts,
// storeSpan), its columns a multiple of 8. In the first of them remain output / l and, for m, logSumExp.

import { finishState, layOutStates, logSumExp, mergeState, States } from "../softmax/state";
import { SpansFrame } from "./frame";

export function mergeSpans(frame: SpansFrame): void {
  const rows = <usize>frame.rows;
  const columns = frame.columns;
  const total = changetype<States>(frame.scratch);
  const part = changetype<States>(frame.scratch + offsetof<States>());
  let next = layOutStates(total, frame.states, rows, columns);
  for (let span = 1; span < frame.count; span++) {
    next = layOutStates(part, next, rows, columns);
    for (let i: usize = 0; i < rows; i++) mergeState(total, part, i);
  }
  let target = total.output;
  for (let i: usize = 0; i < rows; i++) {
    finishState(total, i, target, columns);
    target += (<usize>columns) << 2;
    const m = total.maxima + (i << 2);
    store<f32>(m, logSumExp(load<f32>(m), load<f32>(total.sums + (i << 2))));
  }
}
