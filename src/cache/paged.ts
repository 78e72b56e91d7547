// attend over pages that the caller keeps, with a table of its own: vLLM's, FlashInfer's and
// onnxruntime's layouts, and latent caches, whose values are the first numbers of their keys.

import { NumbersKind } from "../../assembly/kinds";
import { AttendFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import { type AttendCall, callAttend, checkCall } from "../attend/forward";
import type { Abortable, AttendResult, Exactly } from "../attend/options";
import { type Names, reader } from "../check/names";
import { checkLayout, checkShapes } from "../check/shapes";
import { checkCount, numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { batchOf, headsOf, inputsOf, overPages, visibleOf, writePages } from "./attend";
import { cacheOf } from "./module";
import { type CacheAttendOptions, cacheAttendFields, refuseStrategies } from "./options";

/** Order of the axes of pages: "NHD" [pages, pageSize, Hkv, D], "HND" [pages, Hkv, pageSize, D]. */
export type PageLayout = "NHD" | "HND";

/** Options of `attendPaged`: those of a cache's `attend`, and where each sequence's tokens lie. */
export interface PagedOptions extends Omit<CacheAttendOptions, "sequences" | "positions"> {
  /** The page of each `pageSize` tokens of a sequence, [B, n]; past its length anything. */
  readonly blockTable: ArrayLike<number>;
  /** Tokens of each sequence [B], those of the queries included, from 0 to n · pageSize. */
  readonly lengths: ArrayLike<number>;
  /** `"NHD"` by default. */
  readonly pageLayout?: PageLayout | undefined;
  /** Numbers of a value where `valuePages` is left out: values are the first of their keys' numbers. */
  readonly valueSize?: number | undefined;
}

const { sequences: _, positions: __, ...those } = cacheAttendFields;
const fields: Names<PagedOptions> = {
  ...those,
  blockTable: 1,
  lengths: 1,
  pageLayout: 1,
  valueSize: 1,
};
const read = reader<PagedOptions>(fields);
const readAsync = reader<PagedOptions & Abortable>({ ...fields, signal: 1 });

/**
 * `attend` over sequences whose keys and values lie in pages: keyPages [pages, pageSize, Hkv, D] and
 * valuePages [pages, pageSize, Hkv, Dv], or as `pageLayout` says; query [B, H, L, D], or as `layout` says,
 * each sequence's last tokens. The bits are those of one `attend` over the tokens in order. Pages of
 * `allocate` are read in place, others copied for each call.
 *
 * @throws ArgumentError, also for an engine without the extension `cache`; MemoryError, DisposedError.
 */
export function attendPaged<const Options extends PagedOptions>(
  attention: Attention<"cache">,
  query: Tensor,
  keyPages: Tensor,
  valuePages: Tensor | undefined,
  options: Exactly<Options, PagedOptions>,
): AttendResult<Options> {
  const name = "attendPaged";
  const given = checkAttention(name, attention);
  return given.run(name, (engine) => {
    const pages = { keyPages, valuePages };
    return callAttend(engine, checkPaged(name, given, query, pages, read(name, options)));
  }) as AttendResult<Options>;
}

/** `attendPaged` without holding the calling thread; see `attendAsync`. */
export function attendPagedAsync<const Options extends PagedOptions & Abortable>(
  attention: Attention<"cache">,
  query: Tensor,
  keyPages: Tensor,
  valuePages: Tensor | undefined,
  options: Exactly<Options, PagedOptions & Abortable>,
): Promise<AttendResult<Options>> {
  const name = "attendPagedAsync";
  const given = checkAttention(name, attention);
  return given.runAsync(name, () => {
    const { signal, ...asked } = readAsync(name, options);
    const call = checkPaged(name, given, query, { keyPages, valuePages }, asked);
    return { signal, steps: (engine) => callAttend(engine, call) };
  }) as Promise<AttendResult<Options>>;
}

interface GivenPages {
  readonly keyPages: Tensor;
  readonly valuePages: Tensor | undefined;
}

interface CheckedPages {
  readonly key: Tensor;
  readonly value: Tensor;
  readonly pages: number;
  readonly pageSize: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly byHead: boolean;
}

/** `options` as they were read. */
function checkPaged(
  operation: string,
  attention: Attention,
  query: Tensor,
  given: GivenPages,
  options: PagedOptions,
): AttendCall {
  const engine = attention.running(operation);
  const module = cacheOf(engine, operation);
  refuseStrategies(operation, options);
  const { blockTable, lengths: _, pageLayout, valueSize, ...score } = options;
  const pages = checkPages(operation, given, pageLayout, valueSize);
  const layout = checkLayout(operation, options.layout);
  const queries = checkTensor(operation, "query", query);
  const batch = batchOf(queries.dims, layout);
  const { table, columns } = checkTable(operation, blockTable, batch);
  const lengths = checkLengths(operation, options.lengths, batch, columns * pages.pageSize);
  const entries = checkEntries(operation, table, lengths, pages);
  const inputs = inputsOf(pages, queries, layout, Math.max(0, ...lengths));
  const heads = headsOf(operation, pages, queries.dims, layout);
  const shapes = checkShapes(operation, inputs, layout, heads);
  if (shapes.keyValueHeads !== pages.keyValueHeads) {
    const expected = `the axis of heads too: the pages have ${pages.keyValueHeads} of keys`;
    throw new ArgumentError(operation, "query.dims", expected, describe(queries.dims));
  }
  const visibility = visibleOf(
    operation,
    { window: Infinity, cross: false },
    shapes,
    lengths,
    options,
  );
  const { keyValueHeads, pageSize, byHead } = pages;
  const strides = (size: number) => ({
    batch: pageSize * keyValueHeads * size,
    head: byHead ? pageSize * size : size,
    row: byHead ? size : keyValueHeads * size,
  });
  const { headSize: keySize } = pages;
  const valueStrides = strides(given.valuePages ? pages.valueSize : keySize);
  const keyStrides = strides(keySize);
  const call = checkCall(
    operation,
    inputs,
    { ...shapes, keyStrides, valueStrides },
    visibility,
    score as AttendCall["options"],
  );
  const float32 = { ...pages, numbers: NumbersKind.float32 };
  return overPages(call, (staging) => {
    writePages(engine.words, float32, columns, [keyStrides.row, valueStrides.row]);
    engine.words[AttendFrame.locate] = module.locateStep();
    staging.tensor(AttendFrame.key, "keyPages", pages.key);
    staging.tensor(AttendFrame.value, "valuePages", pages.value);
    staging.data(AttendFrame.pages, "blockTable", entries, entries.length);
  });
}

export function checkPages(
  operation: string,
  { keyPages, valuePages }: GivenPages,
  pageLayout: PageLayout = "NHD",
  latentSize: number | undefined,
): CheckedPages {
  if (pageLayout !== "NHD" && pageLayout !== "HND") {
    throw new ArgumentError(operation, "pageLayout", '"NHD" or "HND"', describe(pageLayout));
  }
  const byHead = pageLayout === "HND";
  const axes = (size: string) =>
    byHead ? `[pages, Hkv, pageSize, ${size}]` : `[pages, pageSize, Hkv, ${size}]`;
  const key = checkTensor(operation, "keyPages", keyPages);
  const value = valuePages && checkTensor(operation, "valuePages", valuePages);
  const [pages = 0, second = 0, third = 0, headSize = 0] = key.dims;
  const [keyValueHeads, pageSize] = byHead ? [second, third] : [third, second];
  if (key.dims.length !== 4 || !keyValueHeads || !pageSize || !headSize) {
    const expected = `${axes("D")}, none but pages 0`;
    throw new ArgumentError(operation, "keyPages.dims", expected, describe(key.dims));
  }
  const like = value?.dims.slice(0, 3).join() === key.dims.slice(0, 3).join();
  if (value && (value.dims.length !== 4 || !like || !value.dims[3])) {
    const expected = `${axes("Dv")} as the ${describe(key.dims)} of keyPages`;
    throw new ArgumentError(operation, "valuePages.dims", expected, describe(value.dims));
  }
  if (value && latentSize !== undefined) {
    const expected = "no value with valuePages, which have it";
    throw new ArgumentError(operation, "valueSize", expected, describe(latentSize));
  }
  if (!value) {
    checkCount(operation, "valueSize", latentSize);
    if ((latentSize as number) > headSize) {
      const expected = `at most D = ${headSize}, without valuePages`;
      throw new ArgumentError(operation, "valueSize", expected, describe(latentSize));
    }
  }
  const valueSize = value?.dims[3] ?? (latentSize as number);
  return {
    key,
    value: value ?? key,
    pages,
    pageSize,
    keyValueHeads,
    headSize,
    valueSize,
    byHead,
  };
}

function checkTable(operation: string, given: ArrayLike<number>, batch: number) {
  const table = numbersOf(given);
  if (!table || table.length % Math.max(batch, 1)) {
    const expected = `[B, n] page numbers, with B = ${batch}`;
    throw new ArgumentError(operation, "blockTable", expected, describe(given));
  }
  return { table, columns: table.length / Math.max(batch, 1) };
}

function checkLengths(
  operation: string,
  given: ArrayLike<number>,
  batch: number,
  most: number,
): readonly number[] {
  const lengths = numbersOf(given, [batch]);
  if (!lengths) {
    const expected = `one integer for each of ${batch} sequences`;
    throw new ArgumentError(operation, "lengths", expected, describe(given));
  }
  for (const [b, length] of lengths.entries()) {
    if (Number.isInteger(length) && length >= 0 && length <= most) continue;
    const expected = `an integer from 0 to ${most}, what the table has pages for`;
    throw new ArgumentError(operation, `lengths[${b}]`, expected, describe(length));
  }
  return lengths;
}

/** The table without what no length reaches. */
function checkEntries(
  operation: string,
  table: readonly number[],
  lengths: readonly number[],
  { pages, pageSize }: CheckedPages,
): Int32Array {
  const columns = table.length / Math.max(lengths.length, 1);
  const entries = new Int32Array(table.length);
  for (const [b, length] of lengths.entries()) {
    for (let at = b * columns; at < b * columns + Math.ceil(length / pageSize); at++) {
      const page = table[at] as number;
      if (!Number.isInteger(page) || page < 0 || page >= pages) {
        const expected = `a page from 0 to ${pages - 1}`;
        throw new ArgumentError(operation, `blockTable[${at}]`, expected, describe(page));
      }
      entries[at] = page;
    }
  }
  return entries;
}
