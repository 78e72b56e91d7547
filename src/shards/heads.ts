// Tensors of any layout as [B, H, L, D], and back.

import type { View } from "../check/shapes";
import { elementsOf } from "../tensor/dims";
import type { Tensor } from "../tensor/tensor";

/** Each row of a view, by heads: its number, and where it begins. */
function eachRow(view: View, visit: (at: number, row: number) => void): void {
  const { batch, heads, rows, strides } = view;
  let number = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const first = b * strides.batch + h * strides.head;
      for (let row = 0; row < rows; row++) visit(first + row * strides.row, number++);
    }
  }
}

/** As [B, H, L, D], copied only where its rows lie otherwise. */
export function byHeads({ data, dims }: Tensor, view: View): Tensor {
  const { batch, heads, rows, size, strides } = view;
  const whole = [batch, heads, rows, size];
  if (rows <= 1 || heads === 1 || strides.row === size) return { data, dims: whole };
  const copy = new Float32Array(elementsOf(dims));
  eachRow(view, (at, row) => copy.set(data.subarray(at, at + size), row * size));
  return { data: copy, dims: whole };
}

/** Rows [from, from + count) of every head as [B, H, count, D], a copy. */
export function rowsOf(data: Float32Array, view: View, from: number, count: number): Tensor {
  const { batch, heads, size } = view;
  const copy = new Float32Array(batch * heads * count * size);
  eachRow(someOf(view, count), (first, row) => {
    const at = first + from * view.strides.row;
    copy.set(data.subarray(at, at + size), row * size);
  });
  return { data: copy, dims: [batch, heads, count, size] };
}

/** [B, H, count, D] into rows [from, from + count) of every head. */
export function placeRows(target: Float32Array, view: View, rows: Float32Array, from = 0): void {
  const { batch, heads, size } = view;
  const count = batch * heads * size && rows.length / (batch * heads * size);
  eachRow(someOf(view, count), (first, row) => {
    const at = first + from * view.strides.row;
    target.set(rows.subarray(row * size, (row + 1) * size), at);
  });
}

const someOf = (view: View, rows: number): View => ({ ...view, rows });
