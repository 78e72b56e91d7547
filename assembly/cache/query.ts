// A query as the kernels of scores.ts read it, made once for all its keys:
//
//   int16   D floats, scale 1
//   int8    D of 16 bits, scale = max |q| / 32767
//   int4    for each 32 of them: the sum that takes 8 from each of the key's numbers, then of the first 16
//           and of the last the even ones, and the odd ones
//
// with zeros up to 16 or 32. Of NaN or infinity the scale is NaN.

import { NumbersKind } from "../kinds";


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

/** Bytes of a query, a multiple of 16. */
// @ts-ignore: decorator
@inline
export function queryBytes(numbers: i32, size: i32): usize {
  const blocks = (<usize>size + 31) >> 5;
  return offsetof<Query>() + blocks * (numbers == NumbersKind.int16 ? 128 : QUERY_BLOCK);
}

/** Its numbers. */
// @ts-ignore: decorator
@inline
export function queryNumbers(query: Query): usize {
  return changetype<usize>(query) + offsetof<Query>();
}

/** A row of a panel, 16 bytes a number. */
export function roundQuery(numbers: i32, panel: usize, size: i32, query: Query): void {
  memory.fill(changetype<usize>(query), 0, queryBytes(numbers, size));
  query.numbers = numbers;
  query.size = size;
  const into = queryNumbers(query);
  if (numbers == NumbersKind.int16) {
    query.scale = 1;
    for (let i: usize = 0; i < <usize>size; i++) {
      store<f32>(into + (i << 2), load<f32>(panel + (i << 4)));
    }
    return;
  }
  let largest: f32 = 0;
  for (let i: usize = 0; i < <usize>size; i++) {
    largest = max(largest, abs(load<f32>(panel + (i << 4))));
  }
  const finite = largest - largest == 0;
  query.scale = finite ? largest / MOST : <f32>NaN;
  const inverse: f32 = finite && largest > <f32>1e-30 ? MOST / largest : 0;
  for (let i: usize = 0; i < <usize>size; i++) {
    const q = <i32>nearest(load<f32>(panel + (i << 4)) * inverse);
    if (numbers == NumbersKind.int8) store<i16>(into + (i << 1), <i16>q);
    else addToBlock(into + (i >> 5) * QUERY_BLOCK, i & 31, q);
  }
}

// @ts-ignore: decorator
@inline
function addToBlock(block: usize, i: usize, q: i32): void {
  store<i32>(block, load<i32>(block) - 8 * q);
  const place = ((i & 1) << 4) | ((i >> 4) << 3) | ((i & 15) >> 1);
  store<i16>(block + (place << 1), <i16>q, 16);
}
