// Retrieval: which of many images are nearest to some by what the model has learnt of them.

import { type Attention, linear, prepareLinear, type Tensor, tensor } from "wasm-attention";

export interface Neighbour {
  readonly index: number;
  /** The cosine of the angle between the two representations. */
  readonly similarity: number;
}

/** For each row of `asked` [n, size] its nearest rows of `all` [m, size], the nearest first. */
export function nearest(
  attention: Attention,
  asked: Tensor,
  all: Tensor,
  count: number,
): Neighbour[][] {
  const prepared = prepareLinear(attention, unitRows(asked), { order: "out,in" });
  const similarities = linear(attention, unitRows(all), prepared).data;
  prepared.dispose();
  const [rows] = asked.dims;
  const found: Neighbour[][] = Array.from({ length: rows }, () => []);
  for (let at = 0; at < similarities.length; at++) {
    const best = found[at % rows];
    const similarity = similarities[at];
    if (best.length === count && similarity <= best[count - 1].similarity) continue;
    const before = best.findIndex((other) => similarity > other.similarity);
    best.splice(before < 0 ? best.length : before, 0, { index: Math.floor(at / rows), similarity });
    best.length = Math.min(best.length, count);
  }
  return found;
}

/** Every row scaled to length 1. */
function unitRows({ data, dims }: Tensor): Tensor {
  const size = dims[1];
  const unit = new Float32Array(data.length);
  for (let row = 0; row < data.length; row += size) {
    let squares = 0;
    for (let i = row; i < row + size; i++) squares += data[i] * data[i];
    const factor = 1 / Math.sqrt(squares);
    for (let i = row; i < row + size; i++) unit[i] = data[i] * factor;
  }
  return tensor(unit, dims);
}
