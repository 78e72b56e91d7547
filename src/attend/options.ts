// The options of attend, as a caller writes them, and the readers of them.

import { reader } from "../check/names";
import type { Tensor } from "../tensor/tensor";
import type { Normalizer, Precision } from "./strategy";

/**
 * Order of the axes of query, key, value and output. Ranks 3 and 2 leave out the batch, then
 * the heads: `"BHLD"` also takes [H, L, D] and [L, D], `"BLHD"` [L, H, D] and [L, D],
 * `"BLE"` (heads side by side in one row, E = H·D) [L, E].
 */
export type Layout = "BHLD" | "BLHD" | "BLE";

/**
 * A boolean mask (Uint8Array, 1 takes part, 0 does not), one of integers as tokenizers make them
 * (above 0 takes part), or an additive one (added to the scaled scores, −Infinity leaves out).
 */
export type MaskData = Float32Array | Uint8Array | Int32Array | BigInt64Array;

/**
 * Which keys take part, broadcast over [B, H, L, S] from the right: padding of keys is
 * [B, 1, 1, S], a mask for each batch (Keras's `attention_mask` [B, L, S]) is [B, 1, L, S], and
 * [B·H, L, S] (`nn.MultiheadAttention`) is taken too. A bare array is taken only at exactly L·S or
 * B·H·L·S elements.
 */
export type Mask =
  | {
      /** One element for each query and key, or for those that broadcast. */
      readonly data: MaskData;
      /** At most [B, H, L, S], from the right; or [B·H, L, S]. */
      readonly dims: readonly number[];
      /** The last axis may be shorter than S, and keys past it are left out (as ONNX does). */
      readonly shorter?: boolean | undefined;
    }
  | MaskData
  | RelativeBias;

/** A mask of relative positions: `relativeBias` of wasm-attention/positions makes it. */
export interface RelativeBias {
  /** As it was given. */
  readonly bias: Tensor;
  /** As it was given, or 0. */
  readonly queryOffset: number;
}

/**
 * Which blocks of `size` queries by `size` keys take part (1) or not (0), dims
 * [B|1, H|1, ⌈L/size⌉, ⌈S/size⌉]. Tiles of blocks left out cost nothing.
 */
export interface BlockMask {
  /** 1 for each block that takes part, 0 for the others. */
  readonly data: Uint8Array;
  /** [B|1, H|1, ⌈L/size⌉, ⌈S/size⌉] */
  readonly dims: readonly number[];
  /** Queries and keys of a block, from 1. */
  readonly size: number;
}

/**
 * Linear biases (Press et al. 2021, "Train short, test long"): slope · distance is added to the
 * scores. Position i is that of the query, offset included; j that of the key.
 */
export interface Alibi {
  /** One for each head, [H] or [B, H]; see `alibiSlopes`. */
  readonly slopes: ArrayLike<number>;
  /** `"absolute"` (default; flash-attn): −|i − j|; `"signed"` (FlashInfer): j − i; `"key"`: j. */
  readonly distance?: "absolute" | "signed" | "key" | undefined;
}

/**
 * Each weight is dropped with this probability, and the others are multiplied by 1/(1 − probability).
 * Which ones follows from the seed and from batch, head, query and key alone (Philox-4x32-10), so that
 * the backward pass, given the same, drops the same; a training step takes a seed of its own.
 */
export interface Dropout {
  /** From 0 to less than 1. */
  readonly probability: number;
  /** An integer from 0 to 2⁵³ − 1. */
  readonly seed: number;
}

/** A tile of scores on its way to the softmax. */
export interface ScoreTile {
  /** [rows, columns], to be changed in place; valid until the callback returns. */
  readonly scores: Float32Array;
  /** Which batch, from 0. */
  readonly batch: number;
  /** Which query head, from 0. */
  readonly head: number;
  /** First query, counted from 0 (not its position). */
  readonly query: number;
  /** First key. */
  readonly key: number;
  /** How many queries. */
  readonly rows: number;
  /** How many keys. */
  readonly columns: number;
}

/** Options that say which scores are computed, shared by `attend` and the multi-head layer. */
export interface ScoreOptions {
  /** Factor on the scores; 1/√D by default. Queries are multiplied by it first, in float32. */
  scale?: number | undefined;
  /**
   * Query i sees key j where j ≤ offset + i. `true` and `"upper-left"` (PyTorch, ONNX): offset 0 or
   * `queryOffset`; `"lower-right"` (flash-attn, FlashInfer): offset = keys − queries of each batch.
   */
  causal?: boolean | "upper-left" | "lower-right" | undefined;
  /** Position of the first query among the keys: a number, or one per batch. */
  queryOffset?: number | ArrayLike<number> | undefined;
  /**
   * Which keys take part (a `Uint8Array` of 1, as in PyTorch's `attn_mask`; its `key_padding_mask` says
   * 1 for those left out), or what is added to the scores (a `Float32Array`). Of a list of up to 8 each is broadcast for
   * itself: additive ones are added in their order, and a key that one of them leaves out stays out.
   */
  mask?: Mask | readonly Mask[] | undefined;
  /** Which blocks of queries and keys take part; the cost follows their number. */
  blockMask?: BlockMask | undefined;
  /**
   * How many keys before and after its own position a query sees, self not counted; a side left
   * out is unlimited. With `causal` the right side is 0.
   */
  window?:
    | {
        /** Keys before its own position. */
        readonly left?: number | undefined;
        /** Keys after its own position. */
        readonly right?: number | undefined;
      }
    | undefined;
  /** Scores become softcap · tanh(score / softcap) after the scale; 0 (default) for none. */
  softcap?: number | undefined;
  /** Biases that fall with the distance of query and key. */
  alibi?: Alibi | undefined;
  /**
   * An extra logit of each head, [H], that takes weight but has no value; −Infinity for none. A row
   * that sees no key gives 0, and its sink as logSumExp.
   */
  sinks?: ArrayLike<number> | undefined;
  /**
   * Changes each tile of scores in place, after scale and soft cap, before ALiBi and mask
   * (PyTorch's FlexAttention). Tiles come in any order, and only those a query may see. It may not
   * use this engine; what it throws, the call throws.
   */
  scoreMod?: ((tile: ScoreTile) => void) | undefined;
  /** Dropout on the weights; those returned are the weights after it, logSumExp is from before. */
  dropout?: Dropout | undefined;
  /** Keys of each batch, from 0 to S; nothing past them is read. */
  keyLengths?: ArrayLike<number> | undefined;
  /** Queries of each batch, from 0 to L; rows past them give 0. */
  queryLengths?: ArrayLike<number> | undefined;
  /** Also return the softmax weights: of every head, or their mean over the heads. */
  weights?: boolean | "mean" | undefined;
  /** Also return the natural logarithm of each row's Σ e^score, sinks included; −Infinity for a row that sees neither. */
  logSumExp?: boolean | undefined;
  /**
   * Also return the scores, as ONNX's `qk_matmul_output`: `"raw"` (scaled), `"capped"`, `"biased"`
   * (after everything, −Infinity where masked) or `"probabilities"`. −Infinity past the lengths.
   */
  scores?: "raw" | "capped" | "biased" | "probabilities" | undefined;
  /**
   * What is computed with instead of float32: `int16` or `int8` of wasm-attention/integers. Softmax, options and
   * results stay float32, and so do backward passes. Caches have numbers of their own.
   */
  precision?: Precision | undefined;
  /**
   * What makes weights of scores instead of softmax: `sparsemax`, `entmax15` or `alphaEntmax(alpha)` of
   * wasm-attention/variants, which have neither sinks, dropout nor logSumExp, and are not for caches.
   */
  normalizer?: Normalizer | undefined;
  /** Where to write the output: as many elements as it has. It may overlap any input. */
  out?: Float32Array | Tensor | undefined;
}

/** Options of `attend`. */
export interface AttendOptions extends ScoreOptions {
  /** `"BHLD"` by default. */
  layout?: Layout | undefined;
  /** Query heads; for layout `"BLE"` only, where it is required. */
  heads?: number | undefined;
  /** Key and value heads, a divisor of `heads`; for layout `"BLE"` only, `heads` by default. */
  keyValueHeads?: number | undefined;
}

/** What an operation returns besides, where its option of the same name was asked for. */
export type Returned<Options, Name extends string> = Name extends keyof Options
  ? [Exclude<Options[Name], false | undefined>] extends [never]
    ? unknown
    : [Extract<Options[Name], false | undefined>] extends [never]
      ? { [Asked in Name]: Tensor }
      : { [Asked in Name]?: Tensor }
  : unknown;

/** Options without a name that does not exist. */
export type Exactly<Options, Known> = Options &
  (Exclude<keyof Options, keyof Known> extends never
    ? Known
    : { readonly [Name in Exclude<keyof Options, keyof Known>]: never });

/**
 * What `attend` returns, by what was asked for: `output` in the layout of the query; `weights`
 * [B, H, L, S], or [B, L, S] for `"mean"`; `scores` [B, H, L, S]; `logSumExp` [B, H, L]. All without the
 * axes that the query does not have.
 */
export type AttendResult<Options = AttendOptions> = {
  /** In the layout of the query. */
  output: Tensor;
} & Returned<Options, "weights"> &
  Returned<Options, "scores"> &
  Returned<Options, "logSumExp">;

/** Of calls that do not hold the calling thread. */
export interface Abortable {
  /** Ends the call before its result: the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** Every option that says which scores are computed. */
export const scoreFields = {
  scale: 1,
  causal: 1,
  queryOffset: 1,
  mask: 1,
  blockMask: 1,
  window: 1,
  softcap: 1,
  alibi: 1,
  sinks: 1,
  scoreMod: 1,
  dropout: 1,
  keyLengths: 1,
  queryLengths: 1,
  weights: 1,
  logSumExp: 1,
  scores: 1,
  precision: 1,
  normalizer: 1,
  out: 1,
} as const;

export const attendFields = { ...scoreFields, layout: 1, heads: 1, keyValueHeads: 1 } as const;

export const readAttend = reader<AttendOptions>(attendFields);

export const readAttendAsync = reader<AttendOptions & Abortable>({ ...attendFields, signal: 1 });

/** What `attend` gave with `logSumExp: true`, to be merged or gone back through. */
export interface AttendState {
  /** In the layout of the query. */
  readonly output: Tensor;
  /** [B, H, L], without the axes that the query does not have. */
  readonly logSumExp: Tensor;
  /** May stand as it came, and changes nothing. */
  readonly weights?: Tensor | undefined;
  /** May stand as it came, and changes nothing. */
  readonly scores?: Tensor | undefined;
}
