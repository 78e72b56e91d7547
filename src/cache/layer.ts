// What the multi-head layer asks of a cache, see layer/cached.ts: tokens are appended, attended to, and
// taken back if the layer fails.

import type { Attention } from "../attend/attention";
import { ArgumentError } from "../errors";
import type { CachedCall, Projected } from "../layer/cached";
import type { LayerParts } from "../layer/forward";
import type { LayerOptions } from "../layer/options";
import { appendRows } from "./append";
import { checkCacheAttend } from "./attend";
import type { CacheAttendOptions } from "./options";
import type { CacheSizes, CacheState } from "./state";

export function addLayer(
  attention: Attention,
  state: CacheState,
  operation: string,
  { query, key, value }: Projected,
  options: LayerOptions,
): CachedCall {
  const { sequences, positions, keyLengths, queryLengths } = options;
  state.checkInUse(operation);
  const all = [...state.sequences.values()];
  const before = all.map((sequence) => {
    const { length, position } = sequence;
    return { sequence, length, position };
  });
  let added: readonly number[] = [];
  const undo = () => {
    for (const [index, { sequence, length, position }] of before.entries()) {
      // Not where others have appended since. Pages that were evicted no token to come would see.
      if (sequence.length === length || sequence.length !== added[index]) continue;
      state.cut(sequence, Math.ceil(length / state.sizes.pageSize));
      sequence.length = length;
      sequence.position = position;
    }
  };
  const layout = "BLE";
  if (key && value) {
    const named = state.sizes.cross ? "keyLengths" : "queryLengths";
    const lengths = state.sizes.cross ? keyLengths : queryLengths;
    const rows = { key, value };
    const options = { sequences, positions, lengths, layout, named } as const;
    appendRows(operation, attention, state, rows, options);
  }
  added = all.map(({ length }) => length);
  try {
    const asked = askedOf(options);
    const { call, pages } = checkCacheAttend(operation, attention, state, query, asked);
    return { call, undo, done: state.pages.hold(pages) };
  } catch (error) {
    undo();
    throw error;
  }
}

/** Of the layer or of the append alone. */
const OTHERS = new Set(["cache", "rotary", "record", "out", "keyLengths"]);

/** Name by name: a spread costs a decoded token more. */
function askedOf(options: LayerOptions): CacheAttendOptions {
  const asked: Record<string, unknown> = {};
  for (const name in options)
    if (!OTHERS.has(name)) asked[name] = options[name as keyof LayerOptions];
  asked.layout = "BLE";
  return asked;
}

/** Rows of the same length may be cut into other heads. */
export function checkLayerHeads(
  sizes: CacheSizes,
  operation: string,
  { heads, keyValueHeads, projections: { query, output } }: LayerParts,
): void {
  const [headSize, valueSize] = [query.outputSize / heads, output.inputSize / heads];
  const same = keyValueHeads === sizes.keyValueHeads && headSize === sizes.headSize;
  if (same && valueSize === sizes.valueSize) return;
  const named = (own: Pick<CacheSizes, "keyValueHeads" | "headSize" | "valueSize">) =>
    `Hkv = ${own.keyValueHeads}, D = ${own.headSize}, Dv = ${own.valueSize}`;
  const expected = `the layer's ${named({ keyValueHeads, headSize, valueSize })}`;
  throw new ArgumentError(operation, "cache", expected, named(sizes));
}
