// onnxruntime's masks of padding. Its integer masks do not leave keys out but add a finite filter
// value to them, so that a row without any visible key becomes a plain softmax.

import { type Tensor, tensor } from "wasm-attention";
import { gather, numbers, type Value } from "./case";

export interface Padding {
  /** Added to the scores, [B, 1, L|1, S]. */
  readonly mask?: Tensor;
  readonly keyLengths?: number[];
}

/**
 * `mask_index` or `key_padding_mask`: [B] lengths; [2·B] ends, then starts; [3·B + 2] lengths and
 * cumulative offsets; [B, S]; [B, L, S]; or [B, 1, M, M] with rows that begin after the past.
 */
export function paddingOf(
  value: Value | undefined,
  [batch, queries, keys]: readonly [number, number, number],
  filter: number,
): Padding {
  if (!value) return {};
  const { shape } = value;
  const data = numbers(value);
  const masked = (rows: number, visible: (b: number, i: number, j: number) => boolean) => ({
    mask: gather([batch, 1, rows, keys], (b, _, i, j) => (visible(b, i, j) ? 0 : filter)),
  });
  if (shape.length === 1 && data.length === 2 * batch) {
    return masked(1, (b, _, j) => j < data[b] && j >= data[batch + b]);
  }
  if (shape.length === 1) {
    const ends = data.slice(0, batch).map((end) => Math.min(end, keys));
    // Where every row sees a key, the filter value leaves nothing of the others.
    return ends.includes(0) ? masked(1, (b, _, j) => j < ends[b]) : { keyLengths: ends };
  }
  if (shape.length === 2) return masked(1, (b, _, j) => data[b * keys + j] > 0);
  if (shape.length === 3) {
    return masked(queries, (b, i, j) => data[(b * queries + i) * keys + j] > 0);
  }
  const most = shape[3];
  const past = keys - queries;
  return masked(queries, (b, i, j) => data[(b * most + past + i) * most + j] > 0);
}

/** Two additive masks as one. */
export function both(mask: Tensor | undefined, bias: Tensor | undefined): Tensor | undefined {
  if (!mask || !bias) return mask ?? bias;
  const dims = bias.dims.map((size, axis) => Math.max(size, mask.dims[axis]));
  const at = ({ data, dims: own }: Tensor, ...place: number[]) =>
    data[place.reduce((index, p, axis) => index * own[axis] + (own[axis] > 1 ? p : 0), 0)];
  return tensor(gather(dims, (...place) => at(mask, ...place) + at(bias, ...place)).data, dims);
}
