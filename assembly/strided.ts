// Where a tensor's rows lie: element (batch, head, row, 0) by three strides, in elements.

@unmanaged
export class Strides {
  batch: usize = 0;
  head: usize = 0;
  row: usize = 0;
}

/** Byte address of a row of float32. */
// @ts-ignore: decorator
@inline
export function rowAt(base: usize, strides: Strides, b: i32, h: i32, row: i32): usize {
  const offset = <usize>b * strides.batch + <usize>h * strides.head + <usize>row * strides.row;
  return base + (offset << 2);
}
