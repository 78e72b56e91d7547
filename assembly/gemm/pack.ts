// Packing: from rows in memory to the panels multiply4x8 reads front to back.
//
// packRows transposes rows by 4 or 8 into columns (Q, K, weights stored out×in):
//   panel[i][lane] = rows[lane][i], lanes past `rows` are 0.
// packColumns copies eight columns of each row (V, weights stored in×out):
//   panel[i][lane] = rows[i][lane], lanes past `columns` are 0.
// Strides are in elements; nothing past the last row or column is read.

/** Up to four rows of `depth` floats into every `step`-th byte of `panel`. */
export function packRows(
  source: usize,
  stride: usize,
  rows: i32,
  depth: i32,
  panel: usize,
  step: usize,
): void {
  const row = stride << 2;
  let i = 0;
  if (rows >= 4) {
    const r1 = source + row;
    const r2 = r1 + row;
    const r3 = r2 + row;
    for (; i + 4 <= depth; i += 4) {
      const at = (<usize>i) << 2;
      const v0 = v128.load(source + at);
      const v1 = v128.load(r1 + at);
      const v2 = v128.load(r2 + at);
      const v3 = v128.load(r3 + at);
      const low01 = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5);
      const high23 = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
      v128.store(panel, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
      panel += step;
      v128.store(panel, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7));
      panel += step;
      v128.store(panel, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5));
      panel += step;
      v128.store(panel, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7));
      panel += step;
    }
  }
  for (; i < depth; i++) {
    const at = source + ((<usize>i) << 2);
    v128.store(panel, f32x4.splat(0));
    for (let lane = 0; lane < min(rows, 4); lane++) {
      store<f32>(panel + ((<usize>lane) << 2), load<f32>(at + <usize>lane * row));
    }
    panel += step;
  }
}

/** Up to eight rows into a panel eight wide. */
export function packRows8(source: usize, stride: usize, rows: i32, depth: i32, panel: usize): void {
  packRows(source, stride, rows, depth, panel, 32);
  packRows(source + (stride << 4), stride, max(rows - 4, 0), depth, panel + 16, 32);
}

/** Eight columns of `depth` rows. */
// @ts-ignore: decorator
@inline
export function packColumns(
  source: usize,
  stride: usize,
  columns: i32,
  depth: i32,
  panel: usize,
): void {
  const row = stride << 2;
  for (let i = 0; i < depth; i++) {
    if (columns >= 8) {
      v128.store(panel, v128.load(source));
      v128.store(panel, v128.load(source, 16), 16);
    } else {
      v128.store(panel, f32x4.splat(0));
      v128.store(panel, f32x4.splat(0), 16);
      memory.copy(panel, source, (<usize>columns) << 2);
    }
    source += row;
    panel += 32;
  }
}

/** Four columns of `depth` rows. */
export function packFourColumns(
  source: usize,
  stride: usize,
  columns: i32,
  depth: i32,
  panel: usize,
): void {
  for (let i = 0; i < depth; i++) {
    if (columns >= 4) v128.store(panel, v128.load(source));
    else {
      v128.store(panel, f32x4.splat(0));
      memory.copy(panel, source, (<usize>columns) << 2);
    }
    source += stride << 2;
    panel += 16;
  }
}

/** Multiplies `count` floats (a multiple of 4) by `factor`. */
export function scalePanels(panels: usize, count: usize, factor: f32): void {
  const by = f32x4.splat(factor);
  const end = panels + (count << 2);
  for (; panels < end; panels += 16) v128.store(panels, f32x4.mul(v128.load(panels), by));
}

/** False where any of `count` floats (a multiple of 4) is NaN or infinite. */
// @ts-ignore: decorator
@inline
export function allFinite(values: usize, count: usize): bool {
  // All ones in the exponent.
  const exponent = i32x4.splat(0x7f800000);
  let found = i32x4.splat(0);
  const end = values + (count << 2);
  for (; values < end; values += 16) {
    const bits = v128.and(v128.load(values), exponent);
    found = v128.or(found, i32x4.eq(bits, exponent));
  }
  return !v128.any_true(found);
}

/** Puts 0 for what is NaN or infinite among `count` floats (a multiple of 4). */
export function dropNonFinite(values: usize, count: usize): void {
  const exponent = i32x4.splat(0x7f800000);
  const end = values + (count << 2);
  for (; values < end; values += 16) {
    const value = v128.load(values);
    v128.store(values, v128.andnot(value, i32x4.eq(v128.and(value, exponent), exponent)));
  }
}
