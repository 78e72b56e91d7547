// The options of attend, as a caller writes them.

import type { Tensor } from "./tensor";

/**
 * Order of the axes of query, key, value and output. Ranks 3 and 2 leave out the batch, then
 * the heads: `"BHLD"` also takes [H, L, D] and [L, D], `"BLHD"` [L, H, D] and [L, D],
 * `"BLE"` (heads side by side in one row, E = H·D) [L, E].
 */
export type Layout = "BHLD" | "BLHD" | "BLE";

/**
 * Which keys take part: a boolean mask (Uint8Array, 1 takes part, 0 does not) or an additive one
 * (Float32Array, added to the scaled scores, −Infinity leaves out), broadcast over [B, H, L, S]
 * from the right. A bare array is taken only at exactly L·S or B·H·L·S elements.
 */
export type Mask =
  | { readonly data: Float32Array | Uint8Array; readonly dims: readonly number[] }
  | Float32Array
  | Uint8Array;

/** Options that say which scores are computed, shared by `attend` and the multi-head layer. */
export interface ScoreOptions {
  /** Factor on the scores; 1/√D by default. */
  scale?: number | undefined;
  /**
   * Query i sees key j where j ≤ offset + i. `true` and `"upper-left"` (PyTorch, ONNX): offset 0 or
   * `queryOffset`; `"lower-right"` (flash-attn, FlashInfer): offset = keys − queries of each batch.
   */
  causal?: boolean | "upper-left" | "lower-right" | undefined;
  /** Position of the first query among the keys: a number, or one per batch. */
  queryOffset?: number | ArrayLike<number> | undefined;
  mask?: Mask | undefined;
  /** Keys of each batch, from 0 to S; nothing past them is read. */
  keyLengths?: ArrayLike<number> | undefined;
  /** Queries of each batch, from 0 to L; rows past them give 0. */
  queryLengths?: ArrayLike<number> | undefined;
  /** Also return the softmax weights: of every head, or their mean over the heads. */
  weights?: boolean | "mean" | undefined;
  /** Also return the natural logarithm of each row's Σ e^score; −Infinity for a row that sees no key. */
  logSumExp?: boolean | undefined;
  /** Where to write the output: as many elements as it has. It may overlap any input. */
  out?: Float32Array | Tensor | undefined;
}

export interface AttendOptions extends ScoreOptions {
  /** `"BHLD"` by default. */
  layout?: Layout | undefined;
  /** Query heads; for layout `"BLE"` only, where it is required. */
  heads?: number | undefined;
  /** Key and value heads, a divisor of `heads`; for layout `"BLE"` only, `heads` by default. */
  keyValueHeads?: number | undefined;
}

export interface AttendResult {
  /** In the layout of the query. */
  output: Tensor;
  /** [B, H, L, S], or [B, L, S] for `"mean"`; without the axes that the query does not have. */
  weights?: Tensor;
  /** [B, H, L]; without the axes that the query does not have. */
  logSumExp?: Tensor;
}
