// What every peer of the benchmark can do.

export interface Case {
  readonly heads: number;
  /** Keys, and queries unless those are said. */
  readonly n: number;
  readonly d: number;
  readonly causal: boolean;
  readonly queries?: number;
  /** Key and value heads where they are fewer. */
  readonly keyValueHeads?: number;
}

/** x [m, k] · weight [k, columns]. */
export interface LinearCase {
  readonly m: number;
  readonly k: number;
  readonly columns: number;
}

/** Self-attention of n rows of heads·d, between four projections of that size. */
export interface LayerCase {
  readonly n: number;
  readonly heads: number;
  readonly d: number;
}

/** A transformer's encoder layer, post-norm with exact GELU: the layer, and rows of `hidden` between. */
export interface BlockCase extends LayerCase {
  readonly hidden: number;
}

/** What an encoder layer has: matrices [in, out], each with its bias, and the norms' gains and shifts. */
export type BlockWeights = Readonly<
  Record<"query" | "key" | "value" | "dense" | "up" | "down" | "norm1" | "norm2", Affine>
>;

export interface Affine {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

export const queriesOf = ({ queries, n }: Case): number => queries ?? n;
export const keyValueHeadsOf = ({ keyValueHeads, heads }: Case): number => keyValueHeads ?? heads;

/** What a peer throws for a case it has no operator for. */
export class LeftOut extends Error {}

/** One problem made ready: what a user of the library would keep between calls is kept. */
export interface Run {
  /** One attention over [1, heads, queries, d] in the library's own layout. */
  run(): void | Promise<void>;
  /** The last output as [heads, queries, d]. */
  output(): Float32Array;
  dispose(): void;
}

export interface Peer {
  readonly name: string;
  /** query [heads, queries, d], key and value [keyValueHeads, n, d]. */
  prepare(c: Case, query: Float32Array, key: Float32Array, value: Float32Array): Promise<Run>;
  /** The weight is known when the model is made. */
  linear?(c: LinearCase, x: Float32Array, weight: Float32Array): Promise<Run>;
  /** Weights [in, out] of query, key, value and output. */
  layer?(c: LayerCase, x: Float32Array, weights: readonly Float32Array[]): Promise<Run>;
  /** Bahdanau's scores: Σ_d weight[d]·tanh(q[d] + k[d]). */
  additive?(
    c: Case,
    inputs: readonly [query: Float32Array, key: Float32Array, value: Float32Array],
    weight: Float32Array,
  ): Promise<Run>;
  /** A state that is multiplied by e^decay before each key, decay [heads, n, 1 | d]. */
  gated?(
    c: Case,
    inputs: readonly [query: Float32Array, key: Float32Array, value: Float32Array],
    decay: Float32Array,
  ): Promise<Run>;
  /** An encoder layer. */
  block?(c: BlockCase, x: Float32Array, weights: BlockWeights): Promise<Run>;
}

/** [heads, n, d] → [n, heads·d]; with heads and n exchanged, the way back. */
export function interleave(data: Float32Array, heads: number, n: number, d: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let h = 0; h < heads; h++)
    for (let i = 0; i < n; i++)
      result.set(data.subarray((h * n + i) * d, (h * n + i + 1) * d), (i * heads + h) * d);
  return result;
}
