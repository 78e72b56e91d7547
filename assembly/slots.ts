// Reading a call frame. Apart from frame.ts, which has to stay plain TypeScript.

// @ts-ignore: decorator
@inline
export function address(frame: usize, slot: i32): usize {
  return load<usize>(frame + ((<usize>slot) << 2));
}

// @ts-ignore: decorator
@inline
export function size(frame: usize, slot: i32): i32 {
  return load<i32>(frame + ((<usize>slot) << 2));
}

// @ts-ignore: decorator
@inline
export function number(frame: usize, slot: i32): f32 {
  return load<f32>(frame + ((<usize>slot) << 2));
}

/** base + (batch·sBatch + head·sHead + row·sRow) floats, the three strides in consecutive slots. */
// @ts-ignore: decorator
@inline
export function element(frame: usize, base: i32, strides: i32, b: i32, h: i32, row: i32): usize {
  const offset =
    <usize>b * address(frame, strides) +
    <usize>h * address(frame, strides + 1) +
    <usize>row * address(frame, strides + 2);
  return address(frame, base) + (offset << 2);
}
