// A layer whose keys and values go to a cache. What the layer asks of one; the cache says that it is one,
// so that a layer without does not bring the cache's code along.

import type { Attention } from "../attend/attention";
import type { AttendCall } from "../attend/forward";
import { ArgumentError, describe } from "../errors";
import type { AllocatedTensor } from "../tensor/allocated";
import type { LayerParts } from "./forward";
import type { LayerOptions } from "./options";

/** Projected inputs, heads side by side; no keys where none are appended. */
export interface Projected {
  readonly query: AllocatedTensor;
  readonly key: AllocatedTensor | undefined;
  readonly value: AllocatedTensor | undefined;
}

export interface LayerCache {
  readonly attention: Attention;
  /** @throws ArgumentError if its heads are not the layer's. */
  check(operation: string, layer: LayerParts): void;
  /** Whether its keys are a source's, not the query's own. */
  readonly cross: boolean;
  /** Appends keys and values; the call of attend over all there are then. */
  add(operation: string, projected: Projected, options: LayerOptions): CachedCall;
}

export interface CachedCall {
  readonly call: AttendCall;
  /** Takes back what was appended. */
  undo(): void;
  /** What the call reads is no longer needed. */
  done(): void;
}

const caches = /* @__PURE__ */ new WeakMap<object, LayerCache>();

/** Says that `cache` is one. */
export function registerCache(cache: object, asked: LayerCache): void {
  caches.set(cache, asked);
}

/** What an object says of itself if it is a cache. */
export function cacheOf(value: unknown): LayerCache | undefined {
  return typeof value === "object" && value !== null ? caches.get(value) : undefined;
}

/** The cache that a forward pass was given, if any. */
export function checkCached(
  operation: string,
  layer: LayerParts,
  options: LayerOptions,
): LayerCache | undefined {
  const { cache, sequences, rotary, positions, record } = options;
  if (cache === undefined) {
    const refuse = (argument: string, given: unknown, without: string) => {
      if (given === undefined) return;
      throw new ArgumentError(operation, argument, `no value without ${without}`, describe(given));
    };
    refuse("sequences", sequences, "a cache");
    if (!rotary) refuse("positions", positions, "rotary or a cache");
    return undefined;
  }
  const found = cacheOf(cache);
  if (!found) throw new ArgumentError(operation, "cache", "a cache", describe(cache));
  if (found.attention !== layer.attention) {
    throw new ArgumentError(operation, "cache", "one of the layer's engine", "another engine's");
  }
  found.check(operation, layer);
  const { keyLengths } = options;
  if (keyLengths !== undefined && !found.cross) {
    const expected = "no value with a cache, which knows them: queryLengths";
    throw new ArgumentError(operation, "keyLengths", expected, describe(keyLengths));
  }
  if (record) throw new ArgumentError(operation, "record", "no value with a cache", "true");
  return found;
}
