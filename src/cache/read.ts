// Tokens of a cache as tensors, and tensors as tokens of another: what export, import, copies and shifts
// are made of.

import { CacheKernel } from "../../assembly/kinds";
import { PagesFrame } from "../../build/frames";
import type { View } from "../check/shapes";
import { ArgumentError } from "../errors";
import type { Engine } from "../instance/instance";
import { Staging } from "../run/staging";
import type { Steps } from "../run/steps";
import type { Tensor } from "../tensor/tensor";
import { stageSegments, writePages, writeRows } from "./append";
import { cacheOf } from "./module";
import { storedSizes } from "./numbers";
import { pushSegment } from "./plan";
import type { CacheSizes, CacheState, Sequence } from "./state";

/** Keys and values of some tokens. */
export interface CachedRows {
  /** [1, Hkv, n, D] */
  readonly key: Tensor;
  /** [1, Hkv, n, Dv] */
  readonly value: Tensor;
}

/** A sequence without its pages: of its `length` tokens those of [sinks, evicted) are missing. */
export interface Snapshot extends CachedRows {
  /** As they lie in the pages, or as the numbers they stand for. */
  readonly rows: "stored" | "plain";
  readonly length: number;
  readonly position: number;
  readonly sinks: number;
  readonly evicted: number;
}

/** Tokens [from, to) of a sequence that has them; with `storedSizes` as they lie in the pages. */
export function* readRows(
  engine: Engine,
  operation: string,
  sizes: CacheSizes,
  sequence: Sequence,
  ranges: readonly (readonly [from: number, to: number])[],
): Steps<CachedRows> {
  const { pageSize } = sizes;
  const segments: number[] = [];
  let count = 0;
  for (const [from, to] of ranges) {
    for (let token = from; token < to; ) {
      const row = token % pageSize;
      const rows = Math.min(pageSize - row, to - token);
      const page = sequence.pages[Math.floor(token / pageSize)];
      if (!page) throw evictedError(operation, sequence);
      pushSegment(segments, page, [row, rows, 0, count]);
      count += rows;
      token += rows;
    }
  }
  const { keys, values } = viewsOf(sizes, count);
  writePages(engine, sizes, keys, values);
  const staging = new Staging(engine, operation);
  stageSegments(engine, staging, segments);
  const { keyValueHeads, headSize, valueSize } = sizes;
  const dims = [1, keyValueHeads, count];
  const key = staging.output(PagesFrame.key, [...dims, headSize], undefined);
  const value = staging.output(PagesFrame.value, [...dims, valueSize], undefined);
  try {
    cacheOf(engine, operation).run(CacheKernel.read, staging.begin(), 0, 0, 0);
    const [keyRows, valueRows] = yield* staging.results([key, value]);
    return { key: keyRows as Tensor, value: valueRows as Tensor };
  } finally {
    staging.release();
  }
}

const sizesOf = ({ sizes }: CacheState, rows: Snapshot["rows"]) =>
  rows === "stored" ? storedSizes(sizes) : sizes;

/** All of a sequence. */
export function* takeSnapshot(
  engine: Engine,
  operation: string,
  state: CacheState,
  sequence: Sequence,
  rows: Snapshot["rows"],
): Steps<Snapshot> {
  const { length, position, evicted } = sequence;
  const sinks = evicted ? Math.min(state.sizes.sinks, length) : 0;
  const ranges = [[0, sinks] as const, [evicted, length] as const];
  const sizes = sizesOf(state, rows);
  const read = yield* readRows(engine, operation, sizes, sequence, ranges);
  return { ...read, rows, length, position, sinks, evicted };
}

/**
 * Begins a sequence with the tokens of a snapshot; its number.
 *
 * @throws ArgumentError where the cache's queries would see tokens that are missing, MemoryError; nothing
 * is begun then.
 */
export function restoreSnapshot(
  engine: Engine,
  operation: string,
  state: CacheState,
  { key, value, rows, length, position, sinks, evicted }: Snapshot,
): number {
  const { window, sinks: wanted } = state.sizes;
  if (evicted && (length - window + 1 < evicted || wanted > sinks)) {
    const seen = `[${sinks}, ${evicted}) to be outside the window of ${window} and the ${wanted} sinks`;
    throw new ArgumentError(
      operation,
      "window",
      seen,
      `a sequence of ${length} tokens without them`,
    );
  }
  // Nothing more is evicted than there was.
  const sequence: Sequence = { pages: [], length: 0, position, evicted };
  const sizes = sizesOf(state, rows);
  const { keys, values } = viewsOf(sizes, key.dims[2] as number);
  const parts = evicted ? [[0, sinks, 0] as const] : [];
  const writes = [...parts, [evicted, length - evicted, sinks] as const]
    .filter(([, count]) => count)
    .map(([from, count, first]) => ({ sequence, from, count, batch: 0, first }));
  writeRows(engine, operation, state, { key, value, keys, values, sizes }, writes);
  sequence.length = length;
  const id = state.begin();
  state.sequences.set(id, sequence);
  return id;
}

/** Tensors [1, Hkv, n, …]. */
export function viewsOf(sizes: CacheSizes, count: number): { keys: View; values: View } {
  const { keyValueHeads: heads, headSize, valueSize } = sizes;
  const view = (size: number): View => ({
    batch: 1,
    heads,
    rows: count,
    size,
    strides: { batch: heads * count * size, head: count * size, row: size },
    batchDims: [1],
    headDims: [heads],
  });
  return { keys: view(headSize), values: view(valueSize) };
}

export function evictedError(operation: string, { evicted, length }: Sequence): ArgumentError {
  const expected = `tokens from ${evicted} to ${length}: those before are evicted, but for sinks`;
  return new ArgumentError(operation, "from", expected, "some of those");
}
