// Rotary embeddings of a cache: where each token stands, and its rotation.

import type { Attention } from "../attend/attention";
import type { Layout } from "../attend/options";
import { numbersOf } from "../check/values";
import { ArgumentError, AttentionError, describe, MemoryError } from "../errors";
import { type RotateOptions, rotate } from "../positions/rotary";
import type { Tensor } from "../tensor/tensor";
import { xxh32 } from "./hash";
import { type CacheRotary, readRotary } from "./options";
import type { CacheSizes } from "./state";

/** The rotary embeddings of a cache as they were read; tried once, on a row of zeros. */
export function checkRotary(
  operation: string,
  attention: Attention,
  { headSize, rotary }: CacheSizes,
): CacheRotary | undefined {
  if (rotary === undefined) return undefined;
  const read = readRotary(operation, rotary, "rotary");
  const zeros = { data: new Float32Array(headSize), dims: [1, headSize] };
  turn(operation, "rotary.", attention, zeros, read);
  const { frequencies } = read;
  return frequencies ? { ...read, frequencies: Float32Array.from(frequencies) } : read;
}

/**
 * The position [B, L] of each token, nothing without rotary embeddings; by default they go on from
 * `startOf` each row of the batch.
 */
export function positionsOf(
  operation: string,
  { rotary }: CacheSizes,
  given: number | ArrayLike<number> | undefined,
  [batch, tokens]: readonly [batch: number, tokens: number],
  startOf: (b: number) => number,
): number[] | undefined {
  if (!rotary) {
    if (given === undefined) return undefined;
    const expected = "no value without the cache's option rotary";
    throw new ArgumentError(operation, "positions", expected, describe(given));
  }
  const goOn = (startOf: (b: number) => number) =>
    Array.from(
      { length: batch * tokens },
      (_, i) => startOf(Math.floor(i / tokens)) + (i % tokens),
    );
  if (given === undefined) return goOn(startOf);
  if (typeof given === "number")
    return checked(
      operation,
      goOn(() => given),
    );
  const numbers = numbersOf(given, [batch, batch * tokens]);
  if (!numbers) {
    const expected = `a number, or [B] = ${batch} or [B, L] = ${batch * tokens} integers`;
    throw new ArgumentError(operation, "positions", expected, describe(given));
  }
  const each = numbers.length === batch * tokens;
  return checked(operation, each ? numbers : goOn((b) => numbers[b] as number));
}

function checked(operation: string, positions: number[]): number[] {
  for (const position of positions) {
    if (Number.isInteger(position)) continue;
    throw new ArgumentError(operation, "positions", "integers", describe(position));
  }
  return positions;
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
  return turn(operation, "", attention, x, { ...rotary, ...heads, layout, positions });
}

/** rotate, whose errors name what the caller called. */
function turn(
  operation: string,
  prefix: string,
  attention: Attention,
  x: Tensor,
  options: RotateOptions,
): Tensor {
  try {
    return rotate(attention as Attention<"positions">, x, options);
  } catch (error) {
    if (!(error instanceof AttentionError)) throw error;
    const { argument, expected, received } = error;
    const Kind = error instanceof ArgumentError ? ArgumentError : MemoryError;
    throw new Kind(operation, prefix + argument, expected, received);
  }
}

/** Tells rotary embeddings apart; 0 without any. */
export function rotaryDigest(rotary: CacheRotary | undefined): number {
  if (!rotary) return 0;
  const { pairing = "half", dimensions, base, attentionFactor = 1, frequencies } = rotary;
  const numbers = frequencies ? Array.from(frequencies) : [];
  const text = JSON.stringify([pairing, dimensions, base, attentionFactor, numbers]);
  return xxh32(Int32Array.from(text, (letter) => letter.charCodeAt(0))) || 1;
}
