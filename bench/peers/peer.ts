// What every peer of the benchmark can do.

export interface Case {
  readonly heads: number;
  readonly n: number;
  readonly d: number;
  readonly causal: boolean;
}

/** One problem made ready: what a user of the library would keep between calls is kept. */
export interface Run {
  /** One attention over [1, heads, n, d] in the library's own layout. */
  run(): void | Promise<void>;
  /** The last output as [heads, n, d]. */
  output(): Float32Array;
  dispose(): void;
}

export interface Peer {
  readonly name: string;
  /** query, key and value as [heads, n, d]. */
  prepare(c: Case, query: Float32Array, key: Float32Array, value: Float32Array): Promise<Run>;
}

/** [heads, n, d] → [n, heads·d]; with heads and n exchanged, the way back. */
export function interleave(data: Float32Array, heads: number, n: number, d: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let h = 0; h < heads; h++)
    for (let i = 0; i < n; i++)
      result.set(data.subarray((h * n + i) * d, (h * n + i + 1) * d), (i * heads + h) * d);
  return result;
}
