// What the gradients of linear need besides products: Wᵀ from a packed W, and sums over rows.

import { packRows8 } from "../gemm/pack";
import { LINEAR_DEPTH, SUM_ROWS } from "../tiles";
import { LinearFrame } from "./frame";

/** Writes the packed W of frame.packed to frame.result as a packed Wᵀ [columns × depth], without a bias. */
export function transposePacked(frame: LinearFrame): void {
  const depth = frame.depth;
  const columns = frame.columns;
  const panels = (columns + 7) >> 3;
  let result = frame.result;
  for (let left = 0; left < columns; left += LINEAR_DEPTH) {
    const right = min(left + LINEAR_DEPTH, columns);
    for (let i = 0; i < depth; i += 8) {
      const from = i & ~(LINEAR_DEPTH - 1);
      const rows = min(LINEAR_DEPTH, depth - from);
      let source = frame.packed + ((<usize>(panels * from + (left >> 3) * rows + i - from)) << 5);
      for (let j = left; j < right; j += 8) {
        const count = min(right - j, 8);
        packRows8(source, 8, min(depth - i, 8), count, result);
        source += (<usize>rows) << 5;
        result += (<usize>count) << 5;
      }
    }
  }
  memory.fill(result, 0, (<usize>((depth + 7) >> 3)) << 5);
}

/** result [columns] = Σ over the rows of input [rows × columns], SUM_ROWS of them at a time. */
export function sumRows(frame: LinearFrame): void {
  const rows = frame.rows;
  const bytes = (<usize>frame.columns) << 2;
  const input = frame.input;
  const result = frame.result;
  memory.fill(result, 0, bytes);
  for (let from = 0; from < rows; from += SUM_ROWS) {
    const first = input + <usize>from * bytes;
    const count = min(SUM_ROWS, rows - from);
    let j: usize = 0;
    for (; j + 16 <= bytes; j += 16) {
      let sum = f32x4.splat(0);
      let at = first + j;
      for (let i = 0; i < count; i++, at += bytes) sum = f32x4.add(sum, v128.load(at));
      v128.store(result + j, f32x4.add(v128.load(result + j), sum));
    }
    for (; j < bytes; j += 4) {
      let sum: f32 = 0;
      let at = first + j;
      for (let i = 0; i < count; i++, at += bytes) sum += load<f32>(at);
      store<f32>(result + j, load<f32>(result + j) + sum);
    }
  }
}
