// A weight W, packed once for many products: LINEAR_DEPTH rows after the other, each [⌈columns/8⌉][rows][8], so
// that a product reads it from front to back; then the bias padded to eight.

import { packColumns, packRows8 } from "../gemm/pack";
import { LINEAR_DEPTH } from "../tiles";
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
  for (let from = 0; from < depth; from += LINEAR_DEPTH) {
    const count = min(LINEAR_DEPTH, depth - from);
    for (let j = 0; j < columns; j += 8) {
      if (outputIsRow) {
        const source = weight + ((<usize>j * depth + from) << 2);
        packRows8(source, depth, min(columns - j, 8), count, packed);
      } else {
        const source = weight + ((<usize>from * columns + j) << 2);
        packColumns(source, columns, columns - j, count, packed);
      }
      packed += (<usize>count) << 5;
    }
  }
  memory.fill(packed, 0, (<usize>((columns + 7) >> 3)) << 5);
  if (bias) memory.copy(packed, bias, (<usize>columns) << 2);
}
