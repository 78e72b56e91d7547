// The options of the layer, as a caller writes them, what `forward` returns by them, and their readers.

import { type Abortable, type Returned, type ScoreOptions, scoreFields } from "../attend/options";
import type { AttentionCache } from "../cache/cache";
import { reader } from "../check/names";
import type { Rotary } from "../check/rotary";
import type { Tensor } from "../tensor/tensor";
import type { AppendedKeys } from "./appended";
import type { LayerProjections, Projection } from "./projections";
import type { LayerRecord } from "./record";
import type { LayerUpdate, Update } from "./sizes";

/** How many heads a layer has, and what else its keys are. */
export interface LayerConfig {
  /** Query heads H. */
  heads: number;
  /** Key and value heads, a divisor of `heads` (grouped-query attention); `heads` by default. */
  keyValueHeads?: number | undefined;
  /** Keys and values that every query sees besides its own: `appendedKeys({ addZeroAttention: true })`. */
  appended?: AppendedKeys | undefined;
}

/**
 * What `forward` returns, by what was asked for: `output` [B, L, E] or [L, E], as the query came;
 * `weights` [B, H, L, S], or [B, L, S] for `"mean"`, and `scores` [B, H, L, S], without B as the query
 * came: a bias key and the zero key have columns of their own after the S; `logSumExp` [B, H, L]; `record`,
 * what `multiHeadBackward` needs.
 */
export type LayerResult<Options = LayerOptions> = {
  /** In the form of the query. */
  output: Tensor;
} & Returned<Options, "weights"> &
  Returned<Options, "scores"> &
  Returned<Options, "logSumExp"> &
  Recorded<Options>;

type Recorded<Options> = "record" extends keyof Options
  ? Options["record"] extends true
    ? { record: LayerRecord }
    : { record?: LayerRecord }
  : unknown;

/**
 * The inputs of `forward`; the key is the query unless given (or in a cache for cross-attention), the value
 * is the key.
 */
export interface LayerInputs {
  /** [B, L, Eq] */
  readonly query: Tensor;
  /** [B, S, Ek] */
  readonly key?: Tensor | undefined;
  /** [B, S, Ev] */
  readonly value?: Tensor | undefined;
}

/** Options of the layer's `forward`. */
export interface LayerOptions extends ScoreOptions {
  /** Keep the projected inputs in linear memory for `multiHeadBackward`. */
  record?: boolean | undefined;
  /**
   * Keys and values are appended to this cache, of `createCache`, and queries attend to all tokens in it,
   * up to their own unless `causal` is false; with its rotary embeddings, if it has some. Of each row of
   * the batch `queryLengths` tokens, all by default. To a cache made with `cross: true` a given `key` is
   * appended, `keyLengths` of each row, and nothing without one: a source is projected once, and every
   * query sees all of it. A call that fails appends nothing.
   */
  cache?: AttentionCache | undefined;
  /** With a cache: the sequence of each row of the batch, −1 to skip it; all in order by default. */
  sequences?: ArrayLike<number> | undefined;
  /**
   * Queries and keys are rotated by their positions after their projections, for self-attention without a
   * cache (a cache has rotary embeddings of its own); the engine needs the extension `positions`.
   */
  rotary?: Rotary | undefined;
  /**
   * With rotary embeddings, here or of the cache: the position of the first row of each batch [B] (or one
   * number for all), or of each row [B, L]. From 0, or where the cache's sequences end, by default.
   */
  positions?: number | ArrayLike<number> | undefined;
}

export const PROJECTIONS = ["query", "key", "value", "output"] as const;

export const configFields = { heads: 1, keyValueHeads: 1, appended: 1 } as const;
export const readConfig = reader<LayerConfig>(configFields);
export const readWeights = reader<LayerProjections>({ query: 1, key: 1, value: 1, output: 1 });
export const readProjection = reader<Projection>(
  { weight: 1, order: 1, bias: 1 },
  "a projection { weight, order, bias? }",
);
export const readUpdates = reader<LayerUpdate>({
  query: 1,
  key: 1,
  value: 1,
  output: 1,
  biasKeyValue: 1,
});
export const readUpdate = reader<Update>({ weight: 1, bias: 1, order: 1 }, "{ weight, bias? }");

const layerFields = {
  ...scoreFields,
  record: 1,
  cache: 1,
  sequences: 1,
  rotary: 1,
  positions: 1,
} as const;
const layerOptions = "options; more inputs go first: { query, key, value }";
export const readForward = reader<LayerOptions>(layerFields, layerOptions);
export const readForwardAsync = reader<LayerOptions & Abortable>(
  { ...layerFields, signal: 1 },
  layerOptions,
);
