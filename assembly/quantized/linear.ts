// linear with a weight of few bits: y [rows × columns] = x [rows × depth] · W + bias.
//
// As linear/linear.ts, item by item and one part of the depth after the other; a row's bits depend on depth
// alone. With integers x is rounded (input.ts) and multiplied by the numbers as they lie (kernel.ts, fours.ts). In
// float32, as float16 and bfloat16 are, and rows that have no integers, panels are unpacked first: with all
// rows so, the bits are those of linear with the unpacked weight.

import { ADD, multiply1x32, multiply4x8 as multiplyFloats, PACKED } from "../gemm/kernel";
import { packRows } from "../gemm/pack";
import { columnItems, copyBlock, itemColumns } from "../linear/linear";
import { IntegerProduct, WeightNumbers } from "../kinds";
import { LINEAR_DEPTH, QUANTIZED_ROWS } from "../tiles";
import { QuantizedFrame } from "./frame";
import { multiplyHalves } from "./halves";
import { foursBy1x8, foursBy4x8, widenFours } from "./fours";
import { Input, inputBytes } from "./input";
import { multiply1x8, multiply4x8, Panel, widen } from "./kernel";
import { inFours, isHalf, panelBytes, segmentOffset } from "./panel";
import { roundRows } from "./rounding";
import { unpackPanel } from "./unpack";

/** A register block of y, and a Panel. */
const EDGE: usize = 144;
/** Rows that a panel is multiplied by at once. */
const FEW: i32 = 4;
/** Of an unpacked panel. */
const PANEL: usize = (<usize>LINEAR_DEPTH) << 5;

// @ts-ignore: decorator
@inline
function inFloats(frame: QuantizedFrame): bool {
  return frame.floats != 0 || isHalf(frame.numbers);
}

/** Bytes that each thread uses for itself: a register block of y, x, and panels. */
function threadBytes(frame: QuantizedFrame): usize {
  const depth = min(LINEAR_DEPTH, frame.depth);
  const rows = min(QUANTIZED_ROWS, (frame.rows + 3) & ~3);
  const floats = (<usize>(rows * depth)) << 2;
  if (inFloats(frame)) return (64 + EDGE + 4 * PANEL + floats + 63) & ~63;
  const parts: usize = frame.rows > FEW ? 1 : <usize>partsOf(frame);
  return (64 + EDGE + PANEL + parts * inputBytes(rows, depth) + 63) & ~63;
}

/** Bytes of the scratch; a float64, since it may be more than memory can hold. */
export function linearScratchBytes(frame: QuantizedFrame): f64 {
  return <f64>frame.threads * <f64>threadBytes(frame);
}

/** The block of y that an item makes, and its thread's scratch. */
@unmanaged
class Block {
  rows: i32 = 0;
  /** Columns [first, last). */
  first: i32 = 0;
  last: i32 = 0;
  /** Its first row of x, and of y, from the first column of the call on. */
  x: usize = 0;
  y: usize = 0;
  /** Part of the depth: inputs [from, from + count). */
  from: i32 = 0;
  count: i32 = 0;
}

// @ts-ignore: decorator
@inline
function edgeOf(block: Block): usize {
  return changetype<usize>(block) + 64;
}

// @ts-ignore: decorator
@inline
function panelOf(block: Block): usize {
  return edgeOf(block) + EDGE;
}

/** One block of y, in thread `thread`'s part of the scratch. */
export function linearRun(frame: QuantizedFrame, item: i32, thread: i32): void {
  const across = columnItems(frame, QUANTIZED_ROWS);
  const wide = itemColumns(frame, QUANTIZED_ROWS);
  const start = (item / across) * QUANTIZED_ROWS;
  const depth = frame.depth;
  const columns = frame.columns;
  const row = (<usize>columns) << 2;
  const block = changetype<Block>(frame.scratch + <usize>thread * threadBytes(frame));
  block.rows = min(QUANTIZED_ROWS, frame.rows - start);
  block.first = (item % across) * wide;
  block.last = min(block.first + wide, columns);
  block.x = frame.input + ((<usize>start * <usize>depth) << 2);
  block.y = frame.result + <usize>start * row;

  const bias = frame.packed + <usize>((columns + 7) >> 3) * panelBytes(frame);
  const at = (<usize>block.first) << 2;
  for (let i = 0; i < block.rows; i++) {
    memory.copy(block.y + <usize>i * row + at, bias + at, (<usize>(block.last - block.first)) << 2);
  }
  if (frame.rows <= FEW && !inFloats(frame)) return addFewRows(frame, block);
  for (block.from = 0; block.from < depth; block.from += LINEAR_DEPTH) {
    block.count = min(LINEAR_DEPTH, depth - block.from);
    if (inFloats(frame)) addFloats(frame, block);
    else addIntegers(frame, block);
  }
}

// @ts-ignore: decorator
@inline
function panelAt(frame: QuantizedFrame, column: i32): usize {
  return frame.packed + <usize>(column >> 3) * panelBytes(frame);
}

/** Parts of the depth. */
// @ts-ignore: decorator
@inline
function partsOf(frame: QuantizedFrame): i32 {
  return (frame.depth + LINEAR_DEPTH - 1) / LINEAR_DEPTH;
}

/** Adds the products of a part of the depth to y, in integers. */
function addIntegers(frame: QuantizedFrame, block: Block): void {
  const input = changetype<Input>(panelOf(block) + PANEL);
  roundRows(frame, block.x + ((<usize>block.from) << 2), block.rows, block.count, input);
  const panel = panelBytes(frame);
  let w = panelAt(frame, block.first) + segmentOffset(frame, block.from);
  for (let j = block.first; j < block.last; j += 8, w += panel) addPanel(frame, block, input, j, w);
}

/**
 * All parts of few rows, panel after panel: the weight is read front to back, which is what its time is
 * when it comes from memory.
 */
function addFewRows(frame: QuantizedFrame, block: Block): void {
  const bytes = inputBytes(block.rows, frame.depth);
  const inputs = panelOf(block) + PANEL;
  const parts = partsOf(frame);
  for (let k = 0; k < parts; k++) {
    const from = k * LINEAR_DEPTH;
    const count = min(LINEAR_DEPTH, frame.depth - from);
    const input = changetype<Input>(inputs + <usize>k * bytes);
    roundRows(frame, block.x + ((<usize>from) << 2), block.rows, count, input);
  }
  for (let j = block.first; j < block.last; j += 8) {
    const panel = panelAt(frame, j);
    for (let k = 0; k < parts; k++) {
      const input = changetype<Input>(inputs + <usize>k * bytes);
      block.from = k * LINEAR_DEPTH;
      addPanel(frame, block, input, j, panel + segmentOffset(frame, block.from));
    }
  }
}

/** A part of the panel of columns from `j` on, whose segments begin at `w`. */
function addPanel(frame: QuantizedFrame, block: Block, input: Input, j: i32, w: usize): void {
  const rows = block.rows;
  const row = (<usize>frame.columns) << 2;
  const edge = edgeOf(block);
  const bytes = (<usize>min(block.last - j, 8)) << 2;
  let c = block.y + ((<usize>j) << 2);
  if (rows == 1) {
    if (bytes == 32) multiplyRow(frame, input, w, c);
    else {
      memory.copy(edge, c, bytes);
      multiplyRow(frame, input, w, edge);
      memory.copy(c, edge, bytes);
    }
  } else {
    const panel = changetype<Panel>(edge + EDGE - 16);
    panel.segments = w;
    panel.wide = panelOf(block);
    if (frame.numbers == WeightNumbers.int8Fours) panel.wide = 0;
    else if (inFours(frame.numbers)) widenFours(frame, w, input.count, panel.wide);
    else widen(frame, w, input.count, panel.wide);
    for (let i = 0; i < rows; i += 4) {
      if (rows - i >= 4 && bytes == 32) multiplyRows(frame, input, i, panel, c, row);
      else {
        const height = min(rows - i, 4);
        copyBlock(edge, 32, c, row, height, bytes);
        multiplyRows(frame, input, i, panel, edge, 32);
        copyBlock(c, row, edge, 32, height, bytes);
      }
      c += row << 2;
    }
  }
  if (input.special) addSpecial(frame, block, input, j);
}

/** One row by a panel. */
function multiplyRow(frame: QuantizedFrame, input: Input, w: usize, c: usize): void {
  const product = frame.product;
  if (product == IntegerProduct.words) multiply1x8(frame, input, w, c);
  else if (product == IntegerProduct.bytes) foursBy1x8<i32>(frame, input, w, c);
  else foursBy1x8<i16>(frame, input, w, c);
}

/** Four rows by a panel. */
function multiplyRows(
  frame: QuantizedFrame,
  input: Input,
  row: i32,
  panel: Panel,
  c: usize,
  cRow: usize,
): void {
  const product = frame.product;
  if (product == IntegerProduct.words) multiply4x8(frame, input, row, panel, c, cRow);
  else if (product == IntegerProduct.bytes) foursBy4x8<i32>(frame, input, row, panel, c, cRow);
  else foursBy4x8<i16>(frame, input, row, panel, c, cRow);
}

/** The rows that have no integers, in float32: products added in order, and their sum to y. */
function addSpecial(frame: QuantizedFrame, block: Block, input: Input, j: i32): void {
  const edge = edgeOf(block);
  const bytes = (<usize>min(block.last - j, 8)) << 2;
  const count = input.count;
  unpackPanel(frame, panelAt(frame, j), block.from, count, panelOf(block));
  for (let special = input.special; special; special &= special - 1) {
    const i = <usize>ctz(special);
    let x = block.x + ((i * <usize>frame.depth + <usize>block.from) << 2);
    let low = f32x4.splat(0);
    let high = f32x4.splat(0);
    let w = panelOf(block);
    for (let k = 0; k < count; k++, x += 4, w += 32) {
      const a = v128.load32_splat(x);
      low = f32x4.add(low, f32x4.mul(a, v128.load(w)));
      high = f32x4.add(high, f32x4.mul(a, v128.load(w, 16)));
    }
    const c = block.y + ((i * <usize>frame.columns + <usize>j) << 2);
    memory.copy(edge, c, bytes);
    v128.store(edge, f32x4.add(v128.load(edge), low));
    v128.store(edge, f32x4.add(v128.load(edge, 16), high), 16);
    memory.copy(c, edge, bytes);
  }
}

/** The same of all rows in float32, by the kernels of linear. */
function addFloats(frame: QuantizedFrame, block: Block): void {
  const rows = block.rows;
  const count = block.count;
  const row = (<usize>frame.columns) << 2;
  const rowPanel = (<usize>count) << 4;
  const w = panelOf(block);
  const x = w + 4 * PANEL;
  const edge = edgeOf(block);
  for (let i = 0; i < rows; i += 4) {
    const source = block.x + ((<usize>i * <usize>frame.depth + <usize>block.from) << 2);
    packRows(source, frame.depth, rows - i, count, x + <usize>(i >> 2) * rowPanel, 16);
  }
  let j = block.first;
  for (; rows == 1 && j + 32 <= block.last; j += 32) {
    const c = block.y + ((<usize>j) << 2);
    if (isHalf(frame.numbers)) {
      const panel = panelAt(frame, j) + segmentOffset(frame, block.from);
      multiplyHalves(frame.numbers, x, panel, panelBytes(frame), count, c);
      continue;
    }
    for (let k = 0; k < 4; k++) {
      const panel = panelAt(frame, j + (k << 3));
      unpackPanel(frame, panel, block.from, count, w + <usize>k * ((<usize>count) << 5));
    }
    multiply1x32(x, 16, w, 1, count, c);
  }
  for (; j < block.last; j += 8) {
    unpackPanel(frame, panelAt(frame, j), block.from, count, w);
    const bytes = (<usize>min(block.last - j, 8)) << 2;
    for (let i = 0; i < rows; i += 4) {
      const a = x + <usize>(i >> 2) * rowPanel;
      const c = block.y + <usize>i * row + ((<usize>j) << 2);
      if (rows - i >= 4 && bytes == 32) {
        multiplyFloats(a, w, count, c, row, LINEAR_DEPTH | PACKED | ADD);
      } else {
        const height = min(rows - i, 4);
        copyBlock(edge, 32, c, row, height, bytes);
        multiplyFloats(a, w, count, edge, 32, LINEAR_DEPTH | PACKED | ADD);
        copyBlock(c, row, edge, 32, height, bytes);
      }
    }
  }
}
