// Rotary embeddings of a cache: where each token stands, and its rotation.

import type { Attention } from "../attend/attention";
import type { Layout } from "../attend/options";
import { renamed } from "../check/renamed";
import { checkRowPositions, type Rotary, readRotary } from "../check/rotary";
import { ArgumentError, describe } from "../errors";
import { rotate } from "../positions/rotary";
import type { Tensor } from "../tensor/tensor";
import { xxh32 } from "./hash";
import type { CacheSizes } from "./state";

/** The rotary embeddings of a cache as they were read; tried once, on a row of zeros. */
export function checkRotary(
  operation: string,
  attention: Attention,
  { headSize, rotary }: CacheSizes,
): Rotary | undefined {
  if (rotary === undefined) return undefined;
  const zeros = { data: new Float32Array(headSize), dims: [1, headSize] };
  return readRotary(operation, rotary, (given) =>
    rotate(attention as Attention<"positions">, zeros, given),
  );
}

/**
 * The position [B, L] of each token, nothing without rotary embeddings; by default they go on from
 * `startOf` each row of the batch.
 */
export function positionsOf(
  operation: string,
  { rotary }: CacheSizes,
  given: number | ArrayLike<number> | undefined,
  sizes: readonly [batch: number, tokens: number],
  startOf: (b: number) => number,
): number[] | undefined {
  if (rotary) return checkRowPositions(operation, given, sizes, startOf);
  if (given === undefined) return undefined;
  const expected = "no value without the cache's option rotary";
  throw new ArgumentError(operation, "positions", expected, describe(given));
}

/** How a tensor lies, and the position of each of its rows. */
interface Turned {
  readonly layout: Layout;
  readonly positions: readonly number[] | undefined;
}

/** x at its positions; x itself without any. */
export function rotated(
  operation: string,
  attention: Attention,
  { headSize, rotary }: CacheSizes,
  x: Tensor,
  { layout, positions }: Turned,
): Tensor {
  if (!positions || !rotary) return x;
  const heads = layout === "BLE" ? { heads: (x.dims.at(-1) as number) / headSize } : {};
  const options = { ...rotary, ...heads, layout, positions };
  return renamed(operation, "", () => rotate(attention as Attention<"positions">, x, options));
}

/** Tells rotary embeddings apart; 0 without any. */
export function rotaryDigest(rotary: Rotary | undefined): number {
  if (!rotary) return 0;
  const { pairing = "half", dimensions, base, attentionFactor = 1, frequencies } = rotary;
  const numbers = frequencies ? Array.from(frequencies) : [];
  const text = JSON.stringify([pairing, dimensions, base, attentionFactor, numbers]);
  return xxh32(Int32Array.from(text, (letter) => letter.charCodeAt(0))) || 1;
}
