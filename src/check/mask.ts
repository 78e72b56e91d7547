// Masks of scores, element by element or in blocks, checked and given strides.

import { MaskKind, MOST_MASKS } from "../../assembly/kinds";
import { isFloats, kindOf, lengthOf } from "../arrays";
import type { BlockMask, Mask, MaskData, RelativeBias } from "../attend/options";
import { ArgumentError, describe } from "../errors";
import { checkDims, elementsOf } from "../tensor/dims";
import { received } from "../tensor/tensor";
import { isPlain, reader } from "./names";
import type { Shapes } from "./shapes";
import { checkBoolean, checkCount } from "./values";

type Four = [number, number, number, number];

export interface CheckedMask {
  readonly kind: MaskKind;
  readonly data: Float32Array | Uint8Array;
  readonly dims: readonly number[];
  /** Strides of batch, head, row and column in elements, 0 where broadcast. */
  readonly strides: Four;
  /** Keys it covers; those past them are left out. */
  readonly columns: number;
  /** Element of the first query and key; 0 where it is left out. */
  readonly origin?: number;
}

/** A mask whose elements lie otherwise than its dims say: see `relativeBias`. */
type MakeMask = (operation: string, argument: string, shapes: Shapes) => CheckedMask;

const made = /* @__PURE__ */ new WeakMap<object, MakeMask>();

/** Says how a mask is made that knows it by itself. */
export function registerMask(mask: object, make: MakeMask): void {
  made.set(mask, make);
}

export interface CheckedBlocks {
  readonly data: Uint8Array;
  readonly dims: readonly number[];
  readonly size: number;
  readonly strides: Four;
}

type Fields = Exclude<Mask, MaskData | RelativeBias>;
const readFields = reader<Fields>({ data: 1, dims: 1, shorter: 1 }, "a mask { data, dims }");
const bareMask = (data: MaskData) => ({ data, dims: [], shorter: false });

/** A tensor of another library may have more fields. */
function readMask(operation: string, mask: Fields, argument: string) {
  if (isPlain(mask)) return readFields(operation, mask, argument);
  const { data, dims, shorter } = mask;
  return { data, dims, shorter };
}

export interface CheckedMasks {
  readonly each: readonly CheckedMask[];
  /** Whether they came as a list. */
  readonly listed: boolean;
}

const NONE: CheckedMasks = { each: [], listed: false };

export function checkMasks(
  operation: string,
  shapes: Shapes,
  mask: Mask | readonly Mask[] | undefined,
): CheckedMasks {
  if (mask === undefined) return NONE;
  if (!Array.isArray(mask)) {
    return { each: [checkMask(operation, "mask", shapes, mask as Mask)], listed: false };
  }
  const { length } = mask;
  if (length && !isObject(mask[0])) {
    const expected = "a Uint8Array or Float32Array with dims, or a list of them";
    throw new ArgumentError(operation, "mask", expected, describe(mask));
  }
  if (length > MOST_MASKS) {
    const expected = `at most ${MOST_MASKS} masks in a list`;
    throw new ArgumentError(operation, "mask", expected, `${length}`);
  }
  const each = Array.from({ length }, (_, index) =>
    checkMask(operation, `mask[${index}]`, shapes, mask[index]),
  );
  return { each, listed: true };
}

/** Not a number, a boolean or a row of them. */
function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkMask(operation: string, argument: string, shapes: Shapes, mask: Mask): CheckedMask {
  const own = made.get(mask as object)?.(operation, argument, shapes);
  if (own) return own;
  const bare = ArrayBuffer.isView(mask);
  const {
    data,
    dims: given,
    shorter,
  } = bare ? bareMask(mask) : readMask(operation, mask as Fields, argument);
  if (!isMaskData(data)) {
    throw new ArgumentError(
      operation,
      bare ? argument : `${argument}.data`,
      "a Float32Array (additive), or a Uint8Array, Int32Array or BigInt64Array (1 takes part)",
      describe(data),
    );
  }
  const { batch, heads, queries, keys } = shapes;
  const full: Four = [batch, heads, queries, keys];
  const dims = bare
    ? bareDims(operation, argument, data, full)
    : checkDims(operation, `${argument}.dims`, given);
  if (lengthOf(data) !== elementsOf(dims)) {
    throw new ArgumentError(
      operation,
      argument,
      `${dims.join("·")} = ${elementsOf(dims)} elements`,
      received(data),
    );
  }
  checkBoolean(operation, `${argument}.shorter`, shorter);
  const padded = paddedDims(dims, full, shorter === true);
  if (!padded) {
    throw new ArgumentError(
      operation,
      `${argument}.dims`,
      `dims that broadcast over [B, H, L, S] = [${full.join(", ")}]${meant(dims, full)}`,
      describe(dims),
    );
  }
  const strides = broadcastStrides(padded);
  const columns = padded[3] === 1 ? keys : padded[3];
  return isFloats(data)
    ? { kind: MaskKind.additive, data, dims, strides, columns }
    : {
        kind: MaskKind.boolean,
        data: booleans(operation, argument, data),
        dims,
        strides,
        columns,
      };
}

const KINDS = ["Uint8Array", "Int32Array", "BigInt64Array"];

/** As [B|1, H|1, L|1, S|1], or undefined if they do not broadcast; [B·H, L, S] is [B, H, L, S]. */
function paddedDims(dims: readonly number[], full: Four, shorter: boolean): Four | undefined {
  const fits = (padded: readonly number[]) =>
    padded.length === 4 &&
    padded.every(
      (size, axis) =>
        size === 1 || size === full[axis] || (shorter && axis === 3 && size < full[3]),
    );
  const padded = [...[1, 1, 1, 1].slice(Math.min(dims.length, 4)), ...dims];
  if (fits(padded)) return padded as Four;
  // With one batch [H, L, S] says the same; with more, B·H is neither 1 nor H.
  const [batch, heads] = full;
  if (dims.length !== 3 || dims[0] !== batch * heads) return undefined;
  const unfolded = [batch, heads, ...dims.slice(1)];
  return fits(unfolded) ? (unfolded as Four) : undefined;
}

/** What else the dims may have meant: Keras's masks begin with the batch. */
function meant(dims: readonly number[], [batch, , queries, keys]: Four): string {
  const [first, ...rest] = dims;
  if (first !== batch) return "";
  if (dims.length === 3 && rest[0] === queries) return ", as [B, L, S] does as [B, 1, L, S]";
  if (dims.length === 2 && rest[0] === keys) return ", as [B, S] does as [B, 1, 1, S]";
  return "";
}

function isMaskData(data: unknown): data is MaskData {
  return isFloats(data) || KINDS.includes(kindOf(data) as string);
}

/** Negative integers are scores, meant to be added. */
function booleans(
  operation: string,
  argument: string,
  data: Uint8Array | Int32Array | BigInt64Array,
): Uint8Array {
  if (kindOf(data) === "Uint8Array") return data as Uint8Array;
  const made = new Uint8Array(lengthOf(data));
  for (let index = 0; index < made.length; index++) {
    const value = data[index] as number | bigint;
    if (value < 0) {
      const expected = "0 or 1, or a Float32Array to add to the scores";
      throw new ArgumentError(operation, `${argument}[${index}]`, expected, `${value}`);
    }
    made[index] = value > 0 ? 1 : 0;
  }
  return made;
}

function bareDims(
  operation: string,
  argument: string,
  data: MaskData,
  full: readonly number[],
): readonly number[] {
  const plane = full.slice(2);
  const length = lengthOf(data);
  if (length === elementsOf(full)) return full;
  if (length === elementsOf(plane)) return plane;
  throw new ArgumentError(
    operation,
    argument,
    `L·S = ${elementsOf(plane)} or B·H·L·S = ${elementsOf(full)} elements in a bare array`,
    `${received(data)}; give { data, dims } to broadcast`,
  );
}

const readBlockMask = reader<BlockMask>({ data: 1, dims: 1, size: 1 }, "{ data, dims, size }");

export function checkBlockMask(
  operation: string,
  shapes: Shapes,
  blockMask: BlockMask | undefined,
): CheckedBlocks | undefined {
  if (blockMask === undefined) return undefined;
  const { batch, heads, queries, keys } = shapes;
  const { data, size, dims: given } = readBlockMask(operation, blockMask, "blockMask");
  if (kindOf(data) !== "Uint8Array") {
    throw new ArgumentError(
      operation,
      "blockMask.data",
      "a Uint8Array (1 takes part)",
      describe(data),
    );
  }
  checkCount(operation, "blockMask.size", size);
  const dims = checkDims(operation, "blockMask.dims", given);
  const full = [batch, heads, Math.ceil(queries / size), Math.ceil(keys / size)];
  const fits =
    dims.length === 4 &&
    dims.every((count, axis) => count === full[axis] || (axis < 2 && count === 1));
  if (!fits) {
    throw new ArgumentError(
      operation,
      "blockMask.dims",
      `[B|1, H|1, ⌈L/size⌉, ⌈S/size⌉] = [${full.join(", ")}]`,
      describe(dims),
    );
  }
  if (lengthOf(data) !== elementsOf(dims)) {
    throw new ArgumentError(
      operation,
      "blockMask.data",
      `${dims.join("·")} = ${elementsOf(dims)} elements`,
      received(data),
    );
  }
  return { data, dims, size, strides: broadcastStrides(dims as Four) };
}

/** Row-major strides, 0 along axes of one element. */
function broadcastStrides(dims: Four): Four {
  const strides: Four = [0, 0, 0, 0];
  let stride = 1;
  for (let axis = 3; axis >= 0; axis--) {
    const size = dims[axis] as number;
    strides[axis] = size === 1 ? 0 : stride;
    stride *= size;
  }
  return strides;
}
