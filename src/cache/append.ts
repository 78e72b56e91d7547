// append: check → find pages → write → note. Rows of a batch go to the ends of their sequences.

import { CacheKernel } from "../../assembly/kinds";
import { PagesFrame, Segment } from "../../build/frames";
import type { Attention } from "../attend/attention";
import type { Layout } from "../attend/options";
import { checkLayout, type View, viewOf } from "../check/shapes";
import { numbersOf } from "../check/values";
import { ArgumentError, describe } from "../errors";
import { clearedFrame, type Engine } from "../instance/instance";
import { Staging } from "../run/staging";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { cacheOf } from "./module";
import { wordsOf } from "./numbers";
import type { AppendOptions } from "./options";
import { Plan, type Written } from "./plan";
import { positionsOf, rotated } from "./rotary";
import type { CacheSizes, CacheState, Sequence } from "./state";

const NAME = "append";
/** Positions stay clear of int32 overflow when a row number is added. */
const MOST_TOKENS = 2 ** 30;

interface Rows {
  key: Tensor;
  readonly value: Tensor;
  readonly keys: View;
  readonly values: View;
  /** How they are stored: the cache's sizes, or `storedSizes` of rows that are copied as they are. */
  readonly sizes?: CacheSizes;
}

/** `options` as they were read. */
export function appendRows(
  engine: Engine,
  attention: Attention,
  state: CacheState,
  given: { readonly key: Tensor; readonly value: Tensor },
  options: AppendOptions,
): void {
  const layout = checkLayout(NAME, options.layout);
  const rows = checkRows(state, given.key, given.value, layout);
  const { batch, rows: tokens } = rows.keys;
  const sequences = state.batch(NAME, options.sequences, batch);
  refuseTwice(sequences);
  const lengths = checkLengths(options.lengths, batch, tokens);
  const writes: Written[] = [];
  for (let b = 0; b < batch; b++) {
    const sequence = sequences[b];
    const count = lengths ? (lengths[b] as number) : tokens;
    if (!sequence || !count) continue;
    if (sequence.length + count > MOST_TOKENS) {
      const expected = `at most ${MOST_TOKENS} tokens in a sequence`;
      throw new ArgumentError(NAME, "key", expected, `${sequence.length} + ${count}`);
    }
    writes.push({ sequence, from: sequence.length, count, batch: b, first: 0 });
  }
  const positions = positionsOf(
    NAME,
    state.sizes,
    options.positions,
    [batch, tokens],
    (b) => sequences[b]?.position ?? 0,
  );
  rows.key = rotated(attention, state.sizes, rows.key, layout, positions);
  writeRows(engine, NAME, state, rows, writes);
  for (const { sequence, count, batch: b } of writes) {
    sequence.length += count;
    const last = positions?.[b * tokens + count - 1] ?? sequence.position + count - 1;
    sequence.position = last + 1;
  }
}

/** Writes rows of checked tensors to pages; the sequences' lengths are the caller's to change. */
export function writeRows(
  engine: Engine,
  operation: string,
  state: CacheState,
  rows: Rows,
  writes: readonly Written[],
): void {
  const { sizes = state.sizes } = rows;
  const module = cacheOf(engine, operation);
  const plan = new Plan(operation, state, writes);
  const staging = new Staging(engine, operation);
  try {
    writePages(engine, sizes, rows.keys, rows.values);
    if (sizes.numbers) staging.reserve(PagesFrame.scratch, sizes.headSize * 4);
    staging.tensor(PagesFrame.key, "key", rows.key);
    staging.tensor(PagesFrame.value, "value", rows.value);
    stageSegments(engine, staging, plan.segments);
    module.run(CacheKernel.append, staging.begin(), 0, 0, 0);
  } catch (error) {
    plan.undo();
    throw error;
  } finally {
    staging.release();
  }
  plan.commit();
}

/** The sizes of the pages, and the strides of keys and values beside them. */
export function writePages(engine: Engine, sizes: CacheSizes, keys: View, values: View): void {
  const words = clearedFrame(engine);
  words[PagesFrame.keyValueHeads] = sizes.keyValueHeads;
  words[PagesFrame.headSize] = sizes.headSize;
  words[PagesFrame.valueSize] = sizes.valueSize;
  words[PagesFrame.pageSize] = sizes.pageSize;
  words[PagesFrame.numbers] = sizes.numbers;
  words[PagesFrame.keyWords] = wordsOf(sizes.numbers, sizes.headSize);
  words[PagesFrame.valueWords] = wordsOf(sizes.numbers, sizes.valueSize);
  const { batch, head, row } = keys.strides;
  words[PagesFrame.keyBatch] = batch;
  words[PagesFrame.keyHead] = head;
  words[PagesFrame.keyRow] = row;
  words[PagesFrame.valueBatch] = values.strides.batch;
  words[PagesFrame.valueHead] = values.strides.head;
  words[PagesFrame.valueRow] = values.strides.row;
}

export function stageSegments(engine: Engine, staging: Staging, segments: readonly number[]): void {
  engine.words[PagesFrame.segmentCount] = segments.length / Segment.words;
  staging.data(PagesFrame.segments, "sequences", segments, segments.length);
}

function checkRows(state: CacheState, key: Tensor, value: Tensor, layout: Layout): Rows {
  const { headSize, valueSize } = state.sizes;
  const keyTensor = checkTensor(NAME, "key", key);
  const valueTensor = checkTensor(NAME, "value", value);
  const keys = checkView(state, "key", layout, keyTensor.dims, headSize);
  const values = checkView(state, "value", layout, valueTensor.dims, valueSize);
  if (values.batch !== keys.batch || values.rows !== keys.rows) {
    const expected = `B = ${keys.batch}, L = ${keys.rows} of the key`;
    throw new ArgumentError(NAME, "value.dims", expected, describe(valueTensor.dims));
  }
  return { key: keyTensor, value: valueTensor, keys, values };
}

function checkView(
  { sizes: { keyValueHeads } }: CacheState,
  argument: "key" | "value",
  layout: Layout,
  dims: readonly number[],
  size: number,
): View {
  const view = viewOf(NAME, argument, layout, dims, layout === "BLE" ? keyValueHeads : 1);
  if (view.heads === keyValueHeads && view.size === size) return view;
  const axis = argument === "key" ? "D" : "Dv";
  const expected = `Hkv = ${keyValueHeads}, ${axis} = ${size}`;
  throw new ArgumentError(NAME, `${argument}.dims`, expected, describe(dims));
}

function refuseTwice(sequences: readonly (Sequence | undefined)[]): void {
  if (sequences.length < 2) return;
  const seen = new Set<Sequence>();
  for (const [row, sequence] of sequences.entries()) {
    if (!sequence) continue;
    if (seen.has(sequence)) {
      throw new ArgumentError(NAME, `sequences[${row}]`, "each sequence once", "one a second time");
    }
    seen.add(sequence);
  }
}

function checkLengths(
  given: ArrayLike<number> | undefined,
  batch: number,
  tokens: number,
): readonly number[] | undefined {
  if (given === undefined) return undefined;
  const lengths = numbersOf(given, [batch]);
  if (!lengths) {
    const expected = `one integer for each of ${batch} rows of the batch`;
    throw new ArgumentError(NAME, "lengths", expected, describe(given));
  }
  for (const [row, length] of lengths.entries()) {
    if (Number.isInteger(length) && length >= 0 && length <= tokens) continue;
    const expected = `an integer from 0 to L = ${tokens}`;
    throw new ArgumentError(NAME, `lengths[${row}]`, expected, describe(length));
  }
  return lengths;
}
