// The keys and values that every query of a layer sees besides, for the layer that is made of it.

import { type AppendedKeys, AppendedRows } from "../layer/appended";
import type { Tensor } from "../tensor/tensor";

/** Of all columns, or of these. */
export function appendedOf(
  rows: AppendedRows | undefined,
  kept?: { readonly key: readonly number[]; readonly value: readonly number[] },
): AppendedKeys | undefined {
  if (!rows) return undefined;
  const key = kept ? columnsOf(rows.key, kept.key) : rows.key;
  const value = kept ? columnsOf(rows.value, kept.value) : rows.value;
  const dims = rows.biasDims && { key: [key.dims[2] as number], value: [value.dims[2] as number] };
  const made = new AppendedRows(key, value, kept ? dims : rows.biasDims);
  return { config: {}, rows: () => made };
}

/** Some columns of [1, n, size]. */
function columnsOf(
  { data, dims: [, count = 0, size = 0] }: Tensor,
  kept: readonly number[],
): Tensor {
  const part = new Float32Array(count * kept.length);
  for (let row = 0; row < count; row++) {
    for (const [i, column] of kept.entries()) {
      part[row * kept.length + i] = data[row * size + column] as number;
    }
  }
  return { data: part, dims: [1, count, kept.length] };
}
