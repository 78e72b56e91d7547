// A tile's query rows in bytes, and what of their scores is float32:
//
//   q̂_id = nearest(q_id · f_d / s_i) + 64,  s_i = max_d |q_id · f_d| / 63      1 to 127
//   o_i = q_i · μ                                                             of each tile of keys

import { AttendFrame } from "../../attend/frame";
import { Rows, tileRows } from "../../attend/rows";
import { byteForm, ByteForm } from "../../simd/bytes";
import { REGISTER_ROWS } from "../../tiles";
import { largerMagnitude, magnitudeMask } from "../../simd/magnitude";
import { foursOf, pairsOf, storeFours } from "../transpose";
import { offsets, queryNumbers, queryRowBytes, queryScales, specialOf } from "./behind";
import { roundedFour } from "./channels";
import {
  factors,
  keyMeans,
  keyNumbers,
  keyPanelBytes,
  keyScales,
  LARGEST,
  SMALLEST,
} from "./layout";

/** The rows' scaled queries, [rows/4][D][4], as numbers in the order of ../products.ts. */
export function roundQueries(frame: AttendFrame, r: Rows, panels: usize): void {
  const size = <usize>frame.headSize;
  const words = byteForm() == ByteForm.words;
  const rows = byteForm() == ByteForm.one;
  const bytes = queryRowBytes(frame);
  const numbers = queryNumbers(frame, r);
  const f = factors(panels);
  memory.fill(numbers, 0, <usize>tileRows(frame) * bytes);
  const none = i32x4.splat(0);
  const mask = magnitudeMask();
  let special: u64 = 0;
  for (let i = 0; i < r.rows; i += REGISTER_ROWS) {
    const panel = r.queries + ((<usize>i * size) << 2);
    let most = f32x4.splat(0);
    for (let d: usize = 0; d < size; d++) {
      const x = f32x4.mul(v128.load(panel + (d << 4)), v128.load32_splat(f + (d << 2)));
      most = largerMagnitude(most, x, mask);
    }
    const scales = queryScales(frame, r) + ((<usize>i) << 2);
    v128.store(scales, most);
    for (let lane: usize = 0; lane < <usize>REGISTER_ROWS; lane++) {
      const largest = load<f32>(scales + (lane << 2));
      if (largest == 0 || (largest >= SMALLEST && largest <= LARGEST)) continue;
      special |= (<u64>1) << (i + <i32>lane);
      store<f32>(scales + (lane << 2), 0);
    }
    most = v128.load(scales);
    v128.store(scales, f32x4.div(most, f32x4.splat(63)));
    const some = f32x4.gt(most, f32x4.splat(0));
    const inverse = v128.and(f32x4.div(f32x4.splat(63), most), some);
    let target = numbers + <usize>i * bytes;
    for (let d: usize = 0; d < size; d += words ? 2 : 4, target += rows ? 4 : 16) {
      const left = size - d;
      const a = queryAt(panel + (d << 4), f + (d << 2), inverse);
      const b = left > 1 ? queryAt(panel + (d << 4) + 16, f + (d << 2) + 4, inverse) : none;
      if (words) {
        v128.store(target, pairsOf(a, b));
        continue;
      }
      const c = left > 2 ? queryAt(panel + (d << 4) + 32, f + (d << 2) + 8, inverse) : none;
      const e = left > 3 ? queryAt(panel + (d << 4) + 48, f + (d << 2) + 12, inverse) : none;
      // 64 more; a NaN, of a row that has no scale, is within these bits too.
      const q = i8x16.add(foursOf(a, b, c, e), i8x16.splat(64));
      const u = v128.and(q, i8x16.splat(127));
      if (rows) storeFours(target, bytes, u);
      else v128.store(target, u);
    }
  }
  store<u64>(specialOf(frame, r), special);
  store<usize>(specialOf(frame, r), f, 8);
}

/** A channel of four rows, balanced and rounded. */
// @ts-ignore: decorator
@inline
function queryAt(query: usize, factor: usize, inverse: v128): v128 {
  const x = f32x4.mul(v128.load(query), v128.load32_splat(factor));
  return roundedFour(f32x4.mul(x, inverse));
}

/** o_i = q_i · μ. */
export function offsetRows(frame: AttendFrame, r: Rows, means: usize): void {
  const size = <usize>frame.headSize;
  const target = offsets(frame, r);
  const panel = size << 4;
  const rows = <usize>r.rows;
  let i: usize = 0;
  // Four blocks of rows side by side, whose sums do not wait for each other.
  for (; i + 3 * REGISTER_ROWS < rows; i += 4 * REGISTER_ROWS) {
    const a = r.queries + ((i * size) << 2);
    const b = a + (panel << 1);
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    for (let d: usize = 0; d < panel; d += 16) {
      const mean = v128.load32_splat(means + (d >> 2));
      s0 = f32x4.add(s0, f32x4.mul(v128.load(a + d), mean));
      s1 = f32x4.add(s1, f32x4.mul(v128.load(a + panel + d), mean));
      s2 = f32x4.add(s2, f32x4.mul(v128.load(b + d), mean));
      s3 = f32x4.add(s3, f32x4.mul(v128.load(b + panel + d), mean));
    }
    const at = target + (i << 2);
    v128.store(at, s0);
    v128.store(at, s1, 16);
    v128.store(at, s2, 32);
    v128.store(at, s3, 48);
  }
  for (; i < rows; i += REGISTER_ROWS) {
    const a = r.queries + ((i * size) << 2);
    let sum = f32x4.splat(0);
    for (let d: usize = 0; d < panel; d += 16) {
      const mean = v128.load32_splat(means + (d >> 2));
      sum = f32x4.add(sum, f32x4.mul(v128.load(a + d), mean));
    }
    v128.store(target + (i << 2), sum);
  }
}

/** Row i's scores in float32, of a query that has no scale: by f, s and μ a key is what it was, but for rounding. */
export function scoreSpecial(
  frame: AttendFrame,
  r: Rows,
  tile: usize,
  i: i32,
  target: usize,
): void {
  const size = <usize>frame.headSize;
  const words = byteForm() == ByteForm.words;
  const f = load<usize>(specialOf(frame, r), 8);
  const means = keyMeans(frame, tile);
  const query = r.queries + ((<usize>(i & ~3) * size + <usize>(i & 3)) << 2);
  for (let j: usize = 0; j < <usize>r.columns; j++) {
    const keys = keyNumbers(frame, tile) + (j >> 3) * keyPanelBytes(frame) + ((j & 7) << 2);
    const scale = load<f32>(keyScales(tile) + (j << 2));
    let sum: f32 = 0;
    for (let d: usize = 0; d < size; d++) {
      const n = words
        ? <f32>load<i16>(keys + ((d >> 1) << 5) + ((d & 1) << 1))
        : <f32>load<i8>(keys + ((d >> 2) << 5) + (d & 3));
      const key = n * scale * load<f32>(f + (d << 2)) + load<f32>(means + (d << 2));
      sum += load<f32>(query + (d << 4)) * key;
    }
    store<f32>(target + (j << 2), sum);
  }
}
