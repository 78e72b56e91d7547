// The Hadamard transform that spreads a key's outliers over its channels before they are rounded to few
// bits (QuaRot, Ashkboos et al. 2024): (H·q)·(H·k / n) = q·k, since Hᵀ·H = n.
//
// H is of n = the largest power of two that divides D, and stands D/n times side by side. Sums in one
// order, float32.

/** H·x in place, of a row of `size` floats. */
export function hadamard(row: usize, size: i32): void {
  const n = size & -size;
  if (n >= 4) foursOf(row, (<usize>size) << 2);
  else if (n == 2) twosOf(row, (<usize>size) << 2);
  for (let half = 4; half < n; half <<= 1) {
    for (let i = 0; i < size; i += half << 1) {
      butterflies(row + ((<usize>i) << 2), (<usize>half) << 2);
    }
  }
}

/** (a, b) → (a + b, a − b) of two halves of `bytes` each, a multiple of 16. */
// @ts-ignore: decorator
@inline
function butterflies(a: usize, bytes: usize): void {
  const b = a + bytes;
  for (let i: usize = 0; i < bytes; i += 16) {
    const x = v128.load(a + i);
    const y = v128.load(b + i);
    v128.store(a + i, f32x4.add(x, y));
    v128.store(b + i, f32x4.sub(x, y));
  }
}

/** Of halves of one and then of two numbers, four side by side. */
// @ts-ignore: decorator
@inline
function foursOf(row: usize, bytes: usize): void {
  const odd = i32x4(0, 0x80000000, 0, 0x80000000);
  const high = i32x4(0, 0, 0x80000000, 0x80000000);
  for (let i: usize = 0; i < bytes; i += 16) {
    let x = v128.load(row + i);
    let y = v128.xor(v128.shuffle<f32>(x, x, 1, 1, 3, 3), odd);
    x = f32x4.add(v128.shuffle<f32>(x, x, 0, 0, 2, 2), y);
    y = v128.xor(v128.shuffle<f32>(x, x, 2, 3, 2, 3), high);
    v128.store(row + i, f32x4.add(v128.shuffle<f32>(x, x, 0, 1, 0, 1), y));
  }
}

// @ts-ignore: decorator
@inline
function twosOf(row: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 8) {
    const x = load<f32>(row + i);
    const y = load<f32>(row + i, 4);
    store<f32>(row + i, x + y);
    store<f32>(row + i, x - y, 4);
  }
}

/** A row times 1/n, a power of two, into another. */
export function shrink(source: usize, size: i32, target: usize): void {
  const by = <f32>1 / <f32>(size & -size);
  const four = f32x4.splat(by);
  const bytes = (<usize>size) << 2;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    v128.store(target + i, f32x4.mul(v128.load(source + i), four));
  }
  for (; i < bytes; i += 4) store<f32>(target + i, load<f32>(source + i) * by);
}
