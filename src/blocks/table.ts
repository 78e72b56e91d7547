// Of a table that lies elsewhere, only the rows that are asked for go into linear memory: a vocabulary's table has
// a hundred megabytes, and a text some hundred rows.

import { bufferOf, lengthOf, part } from "../arrays";
import type { Tensor } from "../tensor/tensor";

/** Numbers that are copied at once: a fraction of a millisecond. */
const MOST = 2 ** 20;

/** Rows of a table, and their numbers in it. */
export interface Rows {
  readonly table: Tensor;
  readonly numbers: readonly number[];
}

/** The rows that are named, one for each number, where they are few and the table is not in `memory`. */
export function rowsOf(memory: ArrayBufferLike, given: Rows): Rows {
  const { table, numbers } = given;
  const [count = 0, columns = 0] = table.dims;
  const { data } = table;
  const size = numbers.length * columns;
  if (bufferOf(data) === memory || size > MOST || numbers.length >= count) return given;
  // One that was resized or transferred meanwhile is refused where all of it is copied.
  if (lengthOf(data) !== count * columns) return given;
  const rows = new Float32Array(size);
  for (const [index, number] of numbers.entries())
    rows.set(part(data, number * columns, columns), index * columns);
  const dims = [numbers.length, columns];
  return { table: { data: rows, dims }, numbers: [...numbers.keys()] };
}
