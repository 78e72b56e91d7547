// Rows of float32, four at a time. memory.copy and memory.fill are calls out of the module, which take longer
// than a row of some tens of numbers does.

export function clearRow(target: usize, count: i32): void {
  const bytes = (<usize>count) << 2;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(target + at, f32x4.splat(0));
  for (; at < bytes; at += 4) store<i32>(target + at, 0);
}

/** target + source, in target. */
export function addRow(target: usize, source: usize, count: i32): void {
  const bytes = (<usize>count) << 2;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    v128.store(target + at, f32x4.add(v128.load(target + at), v128.load(source + at)));
  }
  for (; at < bytes; at += 4) {
    store<f32>(target + at, load<f32>(target + at) + load<f32>(source + at));
  }
}
