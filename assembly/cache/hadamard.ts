// The Hadamard transform that spreads a key's outliers over its channels before they are rounded to few
// bits (QuaRot, Ashkboos et al. 2024): (H·q)·(H·k / n) = q·k, since Hᵀ·H = n.
//
// H is of n = the largest power of two that divides D, and stands D/n times side by side. Sums in one
// order, float32.

/** H·x in place, of a row of `size` floats. */
export function hadamard(row: usize, size: i32): void {
  const n = size & -size;
  for (let half = 1; half < n; half <<= 1) {
    for (let i = 0; i < size; i += half << 1)
      butterflies(row + ((<usize>i) << 2), (<usize>half) << 2);
  }
}

/** (a, b) → (a + b, a − b) of two halves of `bytes` each. */
// @ts-ignore: decorator
@inline
function butterflies(a: usize, bytes: usize): void {
  const b = a + bytes;
  if (bytes < 16) {
    for (let i: usize = 0; i < bytes; i += 4) {
      const x = load<f32>(a + i);
      const y = load<f32>(b + i);
      store<f32>(a + i, x + y);
      store<f32>(b + i, x - y);
    }
    return;
  }
  for (let i: usize = 0; i < bytes; i += 16) {
    const x = v128.load(a + i);
    const y = v128.load(b + i);
    v128.store(a + i, f32x4.add(x, y));
    v128.store(b + i, f32x4.sub(x, y));
  }
}

/** A row times 1/n, a power of two. */
export function shrink(row: usize, size: i32): void {
  const by = <f32>1 / <f32>(size & -size);
  for (let i: usize = 0; i < <usize>size; i++) {
    store<f32>(row + (i << 2), load<f32>(row + (i << 2)) * by);
  }
}
