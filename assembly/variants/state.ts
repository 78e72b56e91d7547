// The state of recurrence.ts and a matrix that the caller has: packed before the first token, unpacked after the last.

import { panelOf, Recurrence } from "./recurrence";

/** Columns [first, first + 8·panels) of a matrix [depth × columns] by strides in elements; 0 past the last. */
export function packState(
  r: Recurrence,
  matrix: usize,
  row: usize,
  column: usize,
  first: i32,
  columns: i32,
): void {
  for (let p = 0; p < r.panels; p++) {
    const panel = panelOf(r, p);
    for (let d: usize = 0; d < <usize>r.depth; d++) {
      for (let lane = 0; lane < 8; lane++) {
        const c = first + p * 8 + lane;
        const there = matrix != 0 && c < columns;
        const x = there ? load<f32>(matrix + ((d * row + <usize>c * column) << 2)) : <f32>0;
        store<f32>(panel + (d << 5) + ((<usize>lane) << 2), x);
      }
    }
  }
}

/** And back. */
export function unpackState(
  r: Recurrence,
  matrix: usize,
  row: usize,
  column: usize,
  first: i32,
  columns: i32,
): void {
  for (let p = 0; p < r.panels; p++) {
    const panel = panelOf(r, p);
    for (let d: usize = 0; d < <usize>r.depth; d++) {
      for (let lane = 0; lane < min(8, columns - first - p * 8); lane++) {
        const c = <usize>(first + p * 8 + lane);
        store<f32>(
          matrix + ((d * row + c * column) << 2),
          load<f32>(panel + (d << 5) + ((<usize>lane) << 2)),
        );
      }
    }
  }
}
