// A weight W, packed once for many products: [⌈columns/8⌉][depth][8], followed by the bias padded to eight.

import { packColumns, packRows8 } from "../gemm/pack";
import { LinearFrame } from "./frame";

/** Bytes of frame.packed; a float64, since it may be more than memory can hold. */
export function packedLinearBytes(frame: LinearFrame): f64 {
  return <f64>((frame.columns + 7) >> 3) * (<f64>frame.depth + 1) * 32;
}

/** Packs a weight and its bias into frame.packed. */
export function packLinear(frame: LinearFrame): void {
  const weight = frame.weight;
  const bias = frame.bias;
  const depth = frame.depth;
  const columns = frame.columns;
  const outputIsRow = frame.outputIsRow;
  let packed = frame.packed;
  const panel = (<usize>depth) << 5;
  for (let j = 0; j < columns; j += 8) {
    if (outputIsRow) {
      packRows8(weight + ((<usize>j * depth) << 2), depth, min(columns - j, 8), depth, packed);
    } else {
      packColumns(weight + ((<usize>j) << 2), columns, columns - j, depth, packed);
    }
    packed += panel;
  }
  memory.fill(packed, 0, (<usize>((columns + 7) >> 3)) << 5);
  if (bias) memory.copy(packed, bias, (<usize>columns) << 2);
}
