// attend over a cache: the call of attend/forward.ts, whose keys and values are found through a table of
// pages.

import { CacheKernel, TILE_KEYS, UNLIMITED } from "../../assembly/kinds";
import { AttendFrame, Sequence as SequenceWords } from "../../build/frames";
import type { Attention } from "../attend/attention";
import { type AttendCall, checkCall } from "../attend/forward";
import type { Layout } from "../attend/options";
import { checkLayout, checkShapes, type Inputs, type Shapes, type Strides } from "../check/shapes";
import { numbersOf } from "../check/values";
import { checkVisibility, type Visibility } from "../check/visibility";
import { ArgumentError, describe } from "../errors";
import { moduleOf } from "../instance/modules";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { cacheOf } from "./module";
import { storedSizes } from "./numbers";
import { type CacheAttendOptions, refuseStrategies } from "./options";
import type { Page } from "./pages";
import { positionsOf, rotated } from "./rotary";
import type { CacheSizes, CacheState, Sequence } from "./state";

/** Pages are told apart by this many floats, the least distance of two. */
const LINE = 16;
const NO_DATA = new Float32Array(0);

/** Of keys and values, wherever they lie. */
type RowSizes = Pick<CacheSizes, "keyValueHeads" | "headSize" | "valueSize">;

/** A call, and the pages that it reads. */
export interface CacheCall {
  readonly call: AttendCall;
  readonly pages: readonly Page[];
}

/** Tokens that are looked at, from the first of a page on. */
export interface Looked {
  readonly from: number;
  readonly to: number;
}

/** `options` as they were read; of all tokens, or of some. */
export function checkCacheAttend(
  operation: string,
  attention: Attention,
  state: CacheState,
  query: Tensor,
  options: CacheAttendOptions & { readonly looked?: Looked },
): CacheCall {
  const { looked } = options;
  const engine = attention.running(operation);
  const { sizes } = state;
  refuseStrategies(operation, options);
  const layout = checkLayout(operation, options.layout);
  const given = checkTensor(operation, "query", query);
  const batch = batchOf(given.dims, layout);
  const whole = state.batch(operation, options.sequences, batch);
  const sequences = looked ? whole.map((sequence) => partOf(sequence, looked, sizes)) : whole;
  const lengths = sequences.map((sequence) => sequence?.length ?? 0);
  const inputs = inputsOf(sizes, given, layout, Math.max(0, ...lengths));
  const heads = headsOf(operation, sizes, given.dims, layout);
  const shapes = checkShapes(operation, inputs, layout, heads);
  if (shapes.keyValueHeads !== sizes.keyValueHeads) {
    const expected = `the axis of heads too: the cache has ${sizes.keyValueHeads} of keys`;
    throw new ArgumentError(operation, "query.dims", expected, describe(given.dims));
  }
  const visibility = visibleOf(operation, sizes, shapes, lengths, options);
  refuseEvicted(operation, sequences, visibility, options);
  const positions = positionsOf(
    operation,
    sizes,
    options.positions,
    [batch, shapes.queries],
    (b) => {
      const back = (lengths[b] as number) - wordOf(visibility, b, SequenceWords.position);
      return (sequences[b]?.position ?? 0) - back;
    },
  );
  const turned = rotated(operation, attention, sizes, given, { layout, positions });
  const table = new PageTable(sequences, sizes.pageSize);
  const stored = storedSizes(sizes);
  const { keyStrides, valueStrides } = stridesOf(stored);
  const call = checkCall(
    operation,
    { query: turned, key: inputs.key, value: inputs.value },
    { ...shapes, keyStrides, valueStrides },
    visibility,
    options as AttendCall["options"],
  );
  const module = cacheOf(engine, operation);
  const kernel = sizes.numbers && {
    module: moduleOf(engine, operation, "cache"),
    kernel: CacheKernel.attend,
  };
  const pages: AttendCall["pages"] = (staging) => {
    const { words } = engine;
    words[AttendFrame.locate] = module.locateStep();
    words[AttendFrame.sinkKeys] = sizes.sinks;
    words[AttendFrame.value] = sizes.keyValueHeads * sizes.pageSize * stored.headSize * 4;
    writePages(words, sizes, table.count, [stored.headSize, stored.valueSize]);
    staging.data(AttendFrame.pages, "sequences", table.entries, table.entries.length);
  };
  return { call: overPages(call, pages, kernel || undefined), pages: table.pages };
}

/**
 * The call over pages. Field by field: with a spread, which gave every call a hidden class of its own, it
 * took a fifth of a decoded token's time (bench/NOTES.md).
 */
export function overPages(
  { operation, inputs, shapes, checked, options, out }: AttendCall,
  pages: NonNullable<AttendCall["pages"]>,
  kernel?: AttendCall["kernel"],
): AttendCall {
  return { operation, inputs, shapes, checked, options, out, pages, kernel };
}

/** A sequence of some of another's tokens. */
function partOf(sequence: Sequence | undefined, { from, to }: Looked, { pageSize }: CacheSizes) {
  if (!sequence) return undefined;
  const pages = sequence.pages.slice(from / pageSize, Math.ceil(to / pageSize));
  const left = Math.max(sequence.length - to, 0);
  const length = Math.max(sequence.length - from - left, 0);
  return { ...sequence, pages, length, position: sequence.position - left };
}

type PageSizes = Pick<CacheSizes, "numbers" | "pageSize" | "headSize" | "valueSize">;

/** Writes how the step of the tile loop finds rows; so many floats from one key and value to the next. */
export function writePages(
  words: Int32Array,
  { numbers, pageSize, headSize, valueSize }: PageSizes,
  pageCount: number,
  [keyPageRow, valuePageRow]: readonly [number, number],
): void {
  const copied = !numbers && pageSize % TILE_KEYS !== 0;
  const gathered = Math.ceil((TILE_KEYS * (headSize + valueSize) * 4) / 64) * 64;
  words[AttendFrame.numbers] = numbers;
  words[AttendFrame.pageSize] = pageSize;
  words[AttendFrame.pageCount] = pageCount;
  words[AttendFrame.keyPageRow] = keyPageRow;
  words[AttendFrame.valuePageRow] = valuePageRow;
  words[AttendFrame.keyRow] = copied ? headSize : keyPageRow;
  words[AttendFrame.valueRow] = copied ? valueSize : valuePageRow;
  words[AttendFrame.gatherBytes] = copied ? gathered : 0;
}

/** int32 [batch][count]: where each page of a sequence lies, in lines. */
class PageTable {
  readonly count: number;
  readonly entries: Int32Array;
  readonly pages: Page[] = [];

  constructor(sequences: readonly (Sequence | undefined)[], pageSize: number) {
    const counts = sequences.map((sequence) => Math.ceil((sequence?.length ?? 0) / pageSize));
    this.count = Math.max(0, ...counts);
    this.entries = new Int32Array(this.count * sequences.length);
    for (const [b, sequence] of sequences.entries()) {
      // No row of a page that was evicted is seen: any other may stand for it.
      let entry = 0;
      for (let index = (counts[b] as number) - 1; index >= 0; index--) {
        const page = sequence?.pages[index];
        if (page) {
          this.pages.push(page);
          entry = page.address / (LINE * 4);
        }
        this.entries[b * this.count + index] = entry;
      }
    }
  }
}

function stridesOf({
  pageSize,
  headSize,
  valueSize,
}: CacheSizes): Pick<Shapes, "keyStrides" | "valueStrides"> {
  const strides = (size: number): Strides => ({ batch: LINE, head: pageSize * size, row: size });
  return { keyStrides: strides(headSize), valueStrides: strides(valueSize) };
}

export function batchOf(dims: readonly number[], layout: Layout): number {
  return dims.length === (layout === "BLE" ? 3 : 4) ? (dims[0] as number) : 1;
}

/** The dims that key and value would have in the query's layout. */
export function inputsOf(
  { keyValueHeads, headSize, valueSize }: RowSizes,
  query: Tensor,
  layout: Layout,
  keys: number,
): Inputs {
  const batch = batchOf(query.dims, layout);
  const rank = query.dims.length;
  const of = (size: number): Tensor => {
    if (layout === "BLE")
      return { data: NO_DATA, dims: [batch, keys, keyValueHeads * size].slice(-rank) };
    if (rank === 2) return { data: NO_DATA, dims: [keys, size] };
    const axes = layout === "BHLD" ? [keyValueHeads, keys] : [keys, keyValueHeads];
    return { data: NO_DATA, dims: [batch, ...axes, size].slice(-rank) };
  };
  return { query, key: of(headSize), value: of(valueSize) };
}

/** The options of heads in layout "BLE", where dims do not say how many there are. */
export function headsOf(
  operation: string,
  { headSize, keyValueHeads }: RowSizes,
  dims: readonly number[],
  layout: Layout,
) {
  const row = dims.at(-1) ?? 0;
  const beside = layout === "BLE";
  if (beside ? row === 0 || row % headSize : row !== headSize) {
    const expected = `a last axis of ${beside ? "whole heads of " : ""}D = ${headSize}`;
    throw new ArgumentError(operation, "query.dims", expected, describe(dims));
  }
  const heads = beside ? row / headSize : dims.at(layout === "BHLD" ? -3 : -2);
  if (dims.length > 2 && (heads as number) % keyValueHeads) {
    const expected = `H a multiple of Hkv = ${keyValueHeads}`;
    throw new ArgumentError(operation, "query.dims", expected, describe(dims));
  }
  return beside ? { heads, keyValueHeads } : {};
}

export function visibleOf(
  operation: string,
  { window, cross }: Pick<CacheSizes, "window" | "cross">,
  shapes: Shapes,
  lengths: readonly number[],
  options: CacheAttendOptions,
): Visibility {
  const { causal = !cross, queryOffset } = options;
  if ((causal as unknown) === "upper-left") {
    const expected = 'true, "lower-right" or false: queries are the last tokens, or at queryOffset';
    throw new ArgumentError(operation, "causal", expected, '"upper-left"');
  }
  // Read once, and checked there.
  const own = options.queryLengths && numbersOf(options.queryLengths, [shapes.batch]);
  const queryLengths = own ?? options.queryLengths;
  const last = lengths.map((length, b) => length - (Number(own?.[b] ?? shapes.queries) || 0));
  const visibility = checkVisibility(operation, shapes, {
    causal: causal === "lower-right" ? true : causal,
    queryOffset: queryOffset ?? last,
    queryLengths,
    keyLengths: lengths,
    window: options.window,
  });
  const left = Math.min(visibility.left, window - 1);
  if (
    options.window &&
    window < Infinity &&
    visibility.left > left &&
    visibility.left < UNLIMITED
  ) {
    const expected = `at most ${window - 1} before its own, by the cache's window of ${window}`;
    throw new ArgumentError(operation, "window.left", expected, `${visibility.left}`);
  }
  const words = left === Infinity ? UNLIMITED : left;
  return words === visibility.left ? visibility : { ...visibility, left: words };
}

function wordOf({ sequences }: Visibility, b: number, word: SequenceWords): number {
  return sequences[b * SequenceWords.words + word] as number;
}

/** Queries that would see tokens which are no longer there. */
function refuseEvicted(
  operation: string,
  sequences: readonly (Sequence | undefined)[],
  visibility: Visibility,
  options: CacheAttendOptions,
): void {
  for (const [b, sequence] of sequences.entries()) {
    if (!sequence?.evicted) continue;
    const position = wordOf(visibility, b, SequenceWords.position);
    if (options.scores === "raw" || options.scores === "capped") {
      const expected = `another kind: ${options.scores} ones are of all tokens, and some are evicted`;
      throw new ArgumentError(operation, "scores", expected, `"${options.scores}"`);
    }
    const least = sequence.evicted + visibility.left;
    if (position >= least || !wordOf(visibility, b, SequenceWords.queries)) continue;
    const expected = `queries from token ${least} on, since those before ${sequence.evicted} are evicted`;
    const argument = options.queryOffset === undefined ? "query" : "queryOffset";
    throw new ArgumentError(operation, argument, expected, `one at ${position}`);
  }
}
