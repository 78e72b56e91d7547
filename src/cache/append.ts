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

/** Those of `append`; `named` is what the caller calls `lengths`. */
export interface RowOptions extends AppendOptions {
  readonly named?: string;
}

/** `options` as they were read. */
export function appendRows(
  operation: string,
  attention: Attention,
  state: CacheState,
  given: { readonly key: Tensor; readonly value: Tensor },
  options: RowOptions,
): void {
  const engine = attention.running(operation);
  const layout = checkLayout(operation, options.layout);
  const rows = checkRows(operation, state, given.key, given.value, layout);
  const { batch, rows: tokens } = rows.keys;
  const sequences = state.batch(operation, options.sequences, batch);
  refuseTwice(operation, sequences);
  const lengths = checkLengths(operation, options, batch, tokens);
  const writes: Written[] = [];
  for (let b = 0; b < batch; b++) {
    const sequence = sequences[b];
    const count = lengths ? (lengths[b] as number) : tokens;
    if (!sequence || !count) continue;
    if (sequence.length + count > MOST_TOKENS) {
      const expected = `at most ${MOST_TOKENS} tokens in a sequence`;
      throw new ArgumentError(operation, "key", expected, `${sequence.length} + ${count}`);
    }
    writes.push({ sequence, from: sequence.length, count, batch: b, first: 0 });
  }
  const positions = positionsOf(
    operation,
    state.sizes,
    options.positions,
    [batch, tokens],
    (b) => sequences[b]?.position ?? 0,
  );
  rows.key = rotated(operation, attention, state.sizes, rows.key, { layout, positions });
  writeRows(engine, operation, state, rows, writes);
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

function checkRows(
  operation: string,
  state: CacheState,
  key: Tensor,
  value: Tensor,
  layout: Layout,
): Rows {
  const { keyValueHeads, headSize, valueSize } = state.sizes;
  const split = layout === "BLE" ? keyValueHeads : 1;
  const keyTensor = checkTensor(operation, "key", key);
  const valueTensor = checkTensor(operation, "value", value);
  const keys = viewOf(operation, "key", layout, keyTensor.dims, split);
  const values = viewOf(operation, "value", layout, valueTensor.dims, split);
  checkView(operation, "key", keyTensor.dims, keys, { Hkv: keyValueHeads, D: headSize });
  checkView(operation, "value", valueTensor.dims, values, { Hkv: keyValueHeads, D: valueSize });
  if (values.batch !== keys.batch || values.rows !== keys.rows) {
    const expected = `B = ${keys.batch}, L = ${keys.rows} of the key`;
    throw new ArgumentError(operation, "value.dims", expected, describe(valueTensor.dims));
  }
  return { key: keyTensor, value: valueTensor, keys, values };
}

function checkView(
  operation: string,
  argument: "key" | "value",
  dims: readonly number[],
  { heads, size }: View,
  { Hkv, D }: { readonly Hkv: number; readonly D: number },
): void {
  if (heads === Hkv && size === D) return;
  const axis = argument === "key" ? "D" : "Dv";
  const expected = `Hkv = ${Hkv}, ${axis} = ${D}`;
  throw new ArgumentError(operation, `${argument}.dims`, expected, describe(dims));
}

function refuseTwice(operation: string, sequences: readonly (Sequence | undefined)[]): void {
  if (sequences.length < 2) return;
  const seen = new Set<Sequence>();
  for (const [row, sequence] of sequences.entries()) {
    if (!sequence) continue;
    if (seen.has(sequence)) {
      throw new ArgumentError(
        operation,
        `sequences[${row}]`,
        "each sequence once",
        "one a second time",
      );
    }
    seen.add(sequence);
  }
}

function checkLengths(
  operation: string,
  { lengths: given, named = "lengths" }: RowOptions,
  batch: number,
  tokens: number,
): readonly number[] | undefined {
  if (given === undefined) return undefined;
  const lengths = numbersOf(given, [batch]);
  if (!lengths) {
    const expected = `one integer for each of ${batch} rows of the batch`;
    throw new ArgumentError(operation, named, expected, describe(given));
  }
  for (const [row, length] of lengths.entries()) {
    if (Number.isInteger(length) && length >= 0 && length <= tokens) continue;
    const expected = `an integer from 0 to L = ${tokens}`;
    throw new ArgumentError(operation, `${named}[${row}]`, expected, describe(length));
  }
  return lengths;
}
