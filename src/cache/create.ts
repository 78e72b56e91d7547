// How a cache comes to be.

import { type Attention, checkAttention } from "../attend/attention";
import { ArgumentError, describe } from "../errors";
import { positionsOf } from "../positions/module";
import { AttentionCache } from "./cache";
import { cacheOf } from "./module";
import { type CacheOptions, readCacheOptions } from "./options";
import { checkRotary } from "./rotary";
import { CacheState, checkSizes } from "./state";

/**
 * A cache of keys and values for decoding, in the memory of an engine with the extension `cache`. Memory
 * grows by a page of `pageSize` tokens at a time, and what is there stays where it is.
 *
 * @throws ArgumentError for options of the wrong type or range, or an engine without the extension.
 */
export function createCache(attention: Attention<"cache">, options: CacheOptions): AttentionCache {
  const name = "createCache";
  const given = checkAttention(name, attention);
  const engine = given.running(name);
  cacheOf(engine, name);
  const read = readCacheOptions(name, options);
  const sizes = checkSizes(name, read);
  if (sizes.rotary) positionsOf(engine, name);
  const rotary = checkRotary(name, given, sizes);
  const { sequences = 1 } = read;
  if (!Number.isInteger(sequences) || sequences < 0 || sequences >= 2 ** 24) {
    throw new ArgumentError(name, "sequences", "an integer from 0", describe(sequences));
  }
  const state = new CacheState(engine.arena, { ...sizes, rotary });
  for (let count = 0; count < sequences; count++) state.begin();
  return new AttentionCache(given, state);
}
