// Of a table that lies elsewhere, only the rows that are asked for go into linear memory: a vocabulary's table has
// a hundred megabytes, and a text some hundred rows.

import { bufferOf, lengthOf, part } from "../arrays";
import type { Tensor } from "../tensor/tensor";

/** Numbers that are copied at once: a fraction of a millisecond. */
const MOST = 2 ** 20;

/** The rows of these numbers, where they are few and the table is not in `memory`. */
export function rowsOf(
  memory: ArrayBufferLike,
  { data, dims: [count = 0, columns = 0] }: Tensor,
  numbers: readonly number[],
): Tensor | undefined {
  const { length } = numbers;
  if (bufferOf(data) === memory || length >= count || length * columns > MOST) return undefined;
  // One that was resized or transferred meanwhile is refused where all of it is copied.
  if (lengthOf(data) !== count * columns) return undefined;
  const rows = new Float32Array(length * columns);
  numbers.forEach((number, index) => {
    rows.set(part(data, number * columns, columns), index * columns);
  });
  return { data: rows, dims: [length, columns] };
}
