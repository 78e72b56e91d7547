// Of a table that lies elsewhere, only the rows that are asked for go into linear memory: a vocabulary's table has
// a hundred megabytes, and a text some hundred rows.

import { bufferOf, lengthOf, part } from "../arrays";
import type { Engine } from "../instance/instance";
import { lengthChanged } from "../run/copy";
import type { Steps } from "../run/steps";
import { AllocatedTensor } from "../tensor/allocated";
import { elementsOf } from "../tensor/dims";
import type { Tensor } from "../tensor/tensor";

/** Copied without a pause. */
const PIECE = 2 ** 18;

/** Rows of a table, and their numbers in it. */
export interface Rows {
  readonly table: Tensor;
  readonly numbers: readonly number[];
}

/** The rows that are named, one for each number, where they are fewer than the table's. */
export function* rowsSteps(
  { arena, concurrent }: Engine,
  operation: string,
  { table, numbers }: Rows,
): Steps<Rows> {
  const [count = 0, columns = 0] = table.dims;
  const allocated = table instanceof AllocatedTensor;
  const here = allocated ? table.isIn(arena) : bufferOf(table.data) === arena.buffer;
  if (here || numbers.length >= count) return { table, numbers };
  const elements = elementsOf(table.dims);
  const rows = new Float32Array(numbers.length * columns);
  for (let index = 0, copied = 0; index < numbers.length; index++) {
    // Asked for anew: its buffer may be resized or transferred in a pause.
    const { data } = table;
    if (lengthOf(data) !== elements) throw lengthChanged(operation, "table", data, elements);
    rows.set(part(data, (numbers[index] as number) * columns, columns), index * columns);
    copied += columns;
    if (concurrent && copied >= PIECE) {
      copied = 0;
      yield;
    }
  }
  return {
    table: { data: rows, dims: [numbers.length, columns] },
    numbers: Array.from(numbers, (_, index) => index),
  };
}
