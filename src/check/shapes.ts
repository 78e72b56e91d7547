// Sizes and strides of a call, read from the dims of query, key and value in any layout.

import type { AttendOptions, Layout } from "../attend/options";
import { ArgumentError, describe } from "../errors";
import { sameDims } from "../tensor/dims";
import { checkTensor, type Tensor } from "../tensor/tensor";
import { checkCount } from "./values";

/** Strides in elements; the last axis always has stride 1. */
export interface Strides {
  readonly batch: number;
  readonly head: number;
  readonly row: number;
}

/** B, H, Hkv, L, S, D, Dv and where everything lies. */
export interface Shapes {
  readonly batch: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly queryStrides: Strides;
  readonly keyStrides: Strides;
  readonly valueStrides: Strides;
  readonly outputStrides: Strides;
  readonly outputDims: readonly number[];
  /** The axes B and H that the query has, to begin the dims of weights and logSumExp. */
  readonly batchDims: readonly number[];
  readonly headDims: readonly number[];
  readonly logSumExpDims: readonly number[];
  readonly logSumExpStrides: { readonly batch: number; readonly head: number };
  /** Whether sequences lie end to end, without a batch axis. */
  readonly endToEnd: boolean;
}

export interface Inputs {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

const LAYOUTS: readonly Layout[] = ["BHLD", "BLHD", "BLE"];
const AXES = {
  query: { heads: "H", rows: "L", size: "D" },
  key: { heads: "Hkv", rows: "S", size: "D" },
  value: { heads: "Hkv", rows: "S", size: "Dv" },
};

/** One tensor seen as [batch, heads, rows, size], whatever its layout. */
export interface View {
  readonly batch: number;
  readonly heads: number;
  readonly rows: number;
  readonly size: number;
  readonly strides: Strides;
  /** The axes B and H, where the tensor has them. */
  readonly batchDims: readonly number[];
  readonly headDims: readonly number[];
}

/** The names of the axes in a layout, those that a rank leaves out left out. */
function axesOf(argument: string, layout: Layout, rank: number): string[] {
  const { heads, rows, size } = argument in AXES ? AXES[argument as keyof Inputs] : AXES.query;
  if (layout === "BLE") return ["B", rows, `${heads}·${size}`].slice(-rank);
  if (rank === 2) return [rows, size];
  return (layout === "BHLD" ? ["B", heads, rows, size] : ["B", rows, heads, size]).slice(-rank);
}

export function checkInputs(
  operation: string,
  query: unknown,
  key: unknown,
  value: unknown,
  layout: Layout,
): Inputs {
  const check = (argument: keyof Inputs, given: unknown) =>
    checkTensor(operation, argument, given, (rank) => axesOf(argument, layout, rank).join("·"));
  return { query: check("query", query), key: check("key", key), value: check("value", value) };
}

export function checkLayout(operation: string, layout: Layout = "BHLD"): Layout {
  if (LAYOUTS.includes(layout)) return layout;
  throw new ArgumentError(operation, "layout", '"BHLD", "BLHD" or "BLE"', describe(layout));
}

/** What was checked last, and what was asked. */
interface Checked {
  readonly layout: Layout;
  readonly heads: unknown;
  readonly groups: unknown;
  readonly query: readonly number[];
  readonly key: readonly number[];
  readonly value: readonly number[];
  readonly shapes: Shapes;
}

let last: Checked | undefined;

/**
 * The calls of a loop have the same dims, and to look at them anew takes a tenth of a small call.
 *
 * @throws ArgumentError naming the argument whose dims do not fit.
 */
export function checkShapes(
  operation: string,
  inputs: Inputs,
  layout: Layout,
  { heads, keyValueHeads: groups }: AttendOptions,
): Shapes {
  const { dims: query } = inputs.query;
  const { dims: key } = inputs.key;
  const { dims: value } = inputs.value;
  if (
    last?.layout === layout &&
    last.heads === heads &&
    last.groups === groups &&
    sameDims(last.query, query) &&
    sameDims(last.key, key) &&
    sameDims(last.value, value)
  )
    return last.shapes;
  const shapes = shapesOf(operation, inputs, layout, { heads, keyValueHeads: groups });
  last = { layout, heads, groups, query, key, value, shapes };
  return shapes;
}

function shapesOf(
  operation: string,
  inputs: Inputs,
  layout: Layout,
  options: AttendOptions,
): Shapes {
  const [heads, keyValueHeads] = checkHeads(operation, layout, options);
  const rank = inputs.query.dims.length;
  const view = (argument: keyof Inputs, split: number): View => {
    const { dims } = inputs[argument];
    if (dims.length !== rank) {
      throw new ArgumentError(
        operation,
        `${argument}.dims`,
        `the query's rank, ${rank}`,
        describe(dims),
      );
    }
    return viewOf(operation, argument, layout, dims, split);
  };

  const query = view("query", heads);
  const key = view("key", keyValueHeads);
  const value = view("value", keyValueHeads);
  const agree = (argument: keyof Inputs, axis: string, expected: number, got: number) => {
    if (got !== expected) {
      throw new ArgumentError(
        operation,
        `${argument}.dims`,
        `[${axesOf(argument, layout, rank).join(", ")}] with ${axis} = ${expected}`,
        `${axis} = ${got} in ${describe(inputs[argument].dims)}`,
      );
    }
  };
  agree("key", "B", query.batch, key.batch);
  agree("value", "B", query.batch, value.batch);
  agree("key", "D", query.size, key.size);
  agree("value", "Hkv", key.heads, value.heads);
  agree("value", "S", key.rows, value.rows);
  if (query.heads % key.heads) {
    throw new ArgumentError(
      operation,
      "key.dims",
      `Hkv to divide H = ${query.heads}`,
      `Hkv = ${key.heads} in ${describe(inputs.key.dims)}`,
    );
  }

  const outputDims = [...inputs.query.dims];
  outputDims[rank - 1] = layout === "BLE" ? query.heads * value.size : value.size;
  const { batchDims, headDims } = query;
  return {
    batch: query.batch,
    heads: query.heads,
    keyValueHeads: key.heads,
    queries: query.rows,
    keys: key.rows,
    headSize: query.size,
    valueSize: value.size,
    queryStrides: query.strides,
    keyStrides: key.strides,
    valueStrides: value.strides,
    outputStrides: viewOf(operation, "query", layout, outputDims, heads).strides,
    outputDims,
    batchDims,
    headDims,
    logSumExpDims: [...batchDims, ...headDims, query.rows],
    logSumExpStrides: { batch: query.heads * query.rows, head: query.rows },
    endToEnd: false,
  };
}

/** Query heads, and key and value heads, that layout "BLE" has to be told. */
export function checkHeads(
  operation: string,
  layout: Layout,
  options: { heads?: number | undefined; keyValueHeads?: number | undefined },
): [number, number] {
  const { heads, keyValueHeads } = options;
  if (layout !== "BLE") {
    const given = heads === undefined ? keyValueHeads : heads;
    if (given === undefined) return [1, 1];
    const argument = heads === undefined ? "keyValueHeads" : "heads";
    throw new ArgumentError(
      operation,
      argument,
      `no value with layout "${layout}"`,
      describe(given),
    );
  }
  if (heads === undefined) {
    throw new ArgumentError(operation, "heads", 'their number with layout "BLE"', "undefined");
  }
  checkCount(operation, "heads", heads);
  checkCount(operation, "keyValueHeads", keyValueHeads ?? heads);
  return [heads as number, keyValueHeads ?? (heads as number)];
}

/** @throws ArgumentError if `dims` do not fit the layout. */
export function viewOf(
  operation: string,
  argument: string,
  layout: Layout,
  dims: readonly number[],
  split: number,
): View {
  const rank = dims.length;
  const most = layout === "BLE" ? 3 : 4;
  if (rank < 2 || rank > most) {
    const axes = axesOf(argument, layout, most).join(", ");
    throw new ArgumentError(
      operation,
      `${argument}.dims`,
      `rank 2 to ${most}, in full [${axes}]`,
      describe(dims),
    );
  }
  const last = dims[rank - 1] as number;
  if (last < 1 || last % split) {
    throw new ArgumentError(
      operation,
      `${argument}.dims`,
      split > 1 ? `a last axis divisible by ${split} heads` : "a last axis of at least 1",
      describe(dims),
    );
  }
  const size = last / split;
  if (layout === "BLE") {
    const rows = dims[rank - 2] as number;
    const batch = rank > 2 ? (dims[0] as number) : 1;
    return {
      batch,
      heads: split,
      rows,
      size,
      strides: { batch: rows * last, head: size, row: last },
      batchDims: rank > 2 ? [batch] : [],
      headDims: [split],
    };
  }
  const batch = rank > 3 ? (dims[0] as number) : 1;
  const [first, second] =
    rank > 2 ? [dims[rank - 3] as number, dims[rank - 2] as number] : [1, dims[0] as number];
  const byHead = layout === "BHLD" || rank === 2;
  const heads = byHead ? first : second;
  const rows = byHead ? second : first;
  if (heads < 1) {
    throw new ArgumentError(operation, `${argument}.dims`, "at least one head", describe(dims));
  }
  return {
    batch,
    heads,
    rows,
    size,
    strides: byHead
      ? { batch: heads * rows * size, head: rows * size, row: size }
      : { batch: heads * rows * size, head: size, row: heads * size },
    batchDims: rank > 3 ? [batch] : [],
    headDims: rank > 2 ? [heads] : [],
  };
}
