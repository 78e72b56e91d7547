// A query as the kernels of scores.ts read it, made once for all its keys; transformed where they are, see
// hadamard.ts:
//
//   int16   D floats, scale 1
//   int8    D of 16 bits, scale = max |q| / 32767
//   int4    for each 32 of them: the sum that takes 8 from each of the key's numbers, then of the first 16
//           and of the last the even ones, and the odd ones
//
// with zeros up to 16 or 32. Of NaN or infinity the scale is NaN.

import { NumbersKind } from "../kinds";
import { hadamard } from "./hadamard";
import { magnitude } from "./numbers";


@unmanaged
export class Query {
  scale: f32 = 0;
  /** NumbersKind of the keys. */
  numbers: i32 = 0;
  size: i32 = 0;
  unused: i32 = 0;
}

/** Of a block of int4. */
export const QUERY_BLOCK: usize = 80;
export const MOST: f32 = 32767;

/** Between the numbers and the floats that they are made of: none is written over before it is read. */
const AHEAD: usize = 64;

/** Bytes of a query, a multiple of 16. */
// @ts-ignore: decorator
@inline
export function queryBytes(size: i32): usize {
  return offsetof<Query>() + AHEAD + (whole(size) << 2);
}

/** Numbers with the zeros behind them. */
// @ts-ignore: decorator
@inline
function whole(size: i32): usize {
  return (<usize>size + 31) & ~31;
}

/** Its numbers. */
// @ts-ignore: decorator
@inline
export function queryNumbers(query: Query): usize {
  return changetype<usize>(query) + offsetof<Query>();
}

/** A row of a panel, 16 bytes a number. */
export function roundQuery(numbers: i32, panel: usize, size: i32, query: Query): void {
  query.numbers = numbers;
  query.size = size;
  const into = queryNumbers(query);
  const row = numbers == NumbersKind.int16 ? into : into + AHEAD;
  const end = whole(size);
  for (let i: usize = 0; i < end; i++) {
    store<f32>(row + (i << 2), i < <usize>size ? load<f32>(panel + (i << 4)) : 0);
  }
  query.scale = 1;
  if (numbers == NumbersKind.int16) return;
  hadamard(row, size);
  const largest = magnitude(row, size);
  const finite = largest - largest == 0;
  query.scale = finite ? largest / MOST : <f32>NaN;
  const inverse: f32 = finite && largest > <f32>1e-30 ? MOST / largest : 0;
  for (let i: usize = 0; i < end; i++) {
    const q = <i32>nearest(load<f32>(row + (i << 2)) * inverse);
    if (numbers == NumbersKind.int8) store<i16>(into + (i << 1), <i16>q);
    else addToBlock(into + (i >> 5) * QUERY_BLOCK, i & 31, q);
  }
}

// @ts-ignore: decorator
@inline
function addToBlock(block: usize, i: usize, q: i32): void {
  store<i32>(block, (i ? load<i32>(block) : 0) - 8 * q);
  const place = ((i & 1) << 4) | ((i >> 4) << 3) | ((i & 15) >> 1);
  store<i16>(block + (place << 1), <i16>q, 16);
}
