// Weights as files hold them: what a caller hands over, checked, and how it is packed.

import { OffsetKind, WeightFormat, WeightNumbers } from "../../assembly/kinds";
import { QuantizedFrame } from "../../build/frames";
import { bufferOf, byteOffsetOf, kindOf, lengthOf } from "../arrays";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import { checkOrder } from "../linear/linear";
import type { Order } from "../linear/product";
import { checkDims, elementsOf } from "../tensor/dims";
import type { Tensor } from "../tensor/tensor";
import type { BlocksOf32, HalfWeight, IntegerWeight, MatMulNBitsWeight } from "./stored";

/** How a weight is packed: what its frame wants besides sizes. */
export interface Packable {
  readonly dims: readonly number[];
  readonly numbers: WeightNumbers;
  /** Inputs that share a scale, 0 for all. */
  readonly block: number;
  readonly offsets: OffsetKind;
  readonly center: number;
  /** Further words for packing. */
  readonly words: readonly (readonly [slot: number, value: number])[];
  /** A float32 matrix, or arrays by where the frame wants their addresses. */
  readonly data: Tensor | readonly Bytes[];
}

export interface Bytes {
  readonly slot: number;
  readonly argument: string;
  readonly view: Uint8Array | Float32Array;
  readonly elements: number;
}

const DATA = { argument: "weight.data", slot: QuantizedFrame.weight };
const readBits = reader<MatMulNBitsWeight>({
  format: 1,
  dims: 1,
  bits: 1,
  blockSize: 1,
  data: 1,
  scales: 1,
  zeroPoints: 1,
});
const readBlocks = reader<BlocksOf32>({ format: 1, dims: 1, data: 1 });
const readIntegers = reader<IntegerWeight>({
  format: 1,
  dims: 1,
  data: 1,
  scales: 1,
  zeroPoints: 1,
});
const readHalf = reader<HalfWeight>({ format: 1, dims: 1, data: 1 });

/** Bytes of a block, its kernel's number, whether its numbers are of 4 bits and whether it has an offset. */
const BLOCKS: Record<string, readonly [bytes: number, WeightFormat, four: boolean, min: boolean]> =
  {
    Q8_0: [34, WeightFormat.q8_0, false, false],
    Q4_0: [18, WeightFormat.q4_0, true, false],
    Q4_1: [20, WeightFormat.q4_1, true, true],
    Q5_0: [22, WeightFormat.q5_0, false, false],
    Q5_1: [24, WeightFormat.q5_1, false, true],
  };
const FORMATS = ["MatMulNBits", ...Object.keys(BLOCKS), "int8", "uint8", "F16", "BF16"];

/** The order has to be given where the format does not say it. */
export function checkStored(operation: string, given: object, order: Order | undefined): Packable {
  const { format } = given as { format: unknown };
  if (format === "MatMulNBits") return checkBits(operation, given, order);
  if (typeof format === "string" && Object.hasOwn(BLOCKS, format)) {
    return checkBlocks(operation, format as BlocksOf32["format"], given, order);
  }
  if (format === "int8" || format === "uint8") {
    return checkIntegers(operation, format, given, order);
  }
  if (format === "F16" || format === "BF16") return checkHalf(operation, format, given, order);
  const expected = `one of ${FORMATS.join(", ")}`;
  throw new ArgumentError(operation, "weight.format", expected, describe(format));
}

function checkBits(operation: string, given: object, order: Order | undefined): Packable {
  const weight = readBits(operation, given, "weight");
  const [outputs, inputs] = matrixOf(operation, weight.dims, order);
  const { bits, blockSize: block, zeroPoints } = weight;
  if (bits !== 2 && bits !== 4 && bits !== 8) {
    throw new ArgumentError(operation, "weight.bits", "2, 4 or 8", describe(bits));
  }
  checkBlock(operation, "weight.blockSize", block);
  const blocks = Math.ceil(inputs / block);
  const { scales } = weight;
  const data = [
    bytes(operation, DATA, weight.data, ["Uint8Array"], (outputs * blocks * block * bits) / 8),
    floats(operation, "weight.scales", scales, [outputs * blocks], QuantizedFrame.scales),
  ];
  const inFloats = kindOf(zeroPoints) === "Float32Array";
  if (zeroPoints !== undefined) {
    const place = { argument: "weight.zeroPoints", slot: QuantizedFrame.zeros };
    data.push(
      inFloats
        ? floats(operation, place.argument, zeroPoints, [outputs * blocks], place.slot)
        : bytes(
            operation,
            place,
            zeroPoints,
            ["Uint8Array"],
            outputs * Math.ceil((blocks * bits) / 8),
          ),
    );
  }
  return {
    dims: [outputs, inputs],
    numbers: bits === 8 ? WeightNumbers.int8 : WeightNumbers.int4,
    block,
    offsets: zeroPoints === undefined ? OffsetKind.none : OffsetKind.before,
    center: 8,
    words: [
      [QuantizedFrame.format, WeightFormat.bits],
      [QuantizedFrame.bits, bits],
      [QuantizedFrame.zerosAreFloats, +inFloats],
    ],
    data,
  };
}

function checkBlocks(
  operation: string,
  name: BlocksOf32["format"],
  given: object,
  order: Order | undefined,
): Packable {
  const weight = readBlocks(operation, given, "weight");
  const [outputs, inputs] = matrixOf(operation, weight.dims, order);
  const [size, format, four, min] = BLOCKS[name] as (typeof BLOCKS)[string];
  if (inputs % 32) {
    const expected = `whole blocks of 32 inputs of ${name}`;
    throw new ArgumentError(operation, "weight.dims", expected, describe([outputs, inputs]));
  }
  return {
    dims: [outputs, inputs],
    numbers: four ? WeightNumbers.int4 : WeightNumbers.int8,
    block: 32,
    offsets: min ? OffsetKind.behind : OffsetKind.none,
    center: min ? 0 : 8,
    words: [[QuantizedFrame.format, format]],
    data: [bytes(operation, DATA, weight.data, ["Uint8Array"], ((outputs * inputs) / 32) * size)],
  };
}

function checkIntegers(
  operation: string,
  format: IntegerWeight["format"],
  given: object,
  order: Order | undefined,
): Packable {
  const weight = readIntegers(operation, given, "weight");
  const dims = checkDims(operation, "weight.dims", weight.dims);
  const outputs = (order === "out,in" ? dims[0] : dims[1]) ?? 0;
  const kind = format === "int8" ? "Int8Array" : "Uint8Array";
  const { zeroPoints } = weight;
  const place = { argument: "weight.zeroPoints", slot: QuantizedFrame.zeros };
  const scales = floats(
    operation,
    "weight.scales",
    weight.scales,
    [1, outputs],
    QuantizedFrame.scales,
  );
  const zeros =
    zeroPoints === undefined ? undefined : bytes(operation, place, zeroPoints, [kind], 1, outputs);
  const unsigned = format === "uint8";
  const data = bytes(operation, DATA, weight.data, [kind], elementsOf(dims));
  checkOrder(operation, order);
  return {
    dims,
    numbers: WeightNumbers.int8,
    block: 0,
    offsets: zeros || unsigned ? OffsetKind.before : OffsetKind.none,
    center: 0,
    words: [
      [QuantizedFrame.format, WeightFormat.integers],
      [QuantizedFrame.scaleCount, scales.elements],
      [QuantizedFrame.zeroCount, zeros?.elements ?? 0],
      [QuantizedFrame.unsigned, +unsigned],
    ],
    data: [data, scales, ...(zeros ? [zeros] : [])],
  };
}

function checkHalf(
  operation: string,
  format: HalfWeight["format"],
  given: object,
  order: Order | undefined,
): Packable {
  const weight = readHalf(operation, given, "weight");
  const dims = checkDims(operation, "weight.dims", weight.dims);
  const words = kindOf(weight.data) === "Uint16Array";
  const kinds = ["Uint16Array", "Uint8Array"];
  const count = elementsOf(dims) * (words ? 1 : 2);
  const data = bytes(operation, DATA, weight.data, kinds, count);
  checkOrder(operation, order);
  return {
    dims,
    numbers: format === "F16" ? WeightNumbers.float16 : WeightNumbers.bfloat16,
    block: 0,
    offsets: OffsetKind.none,
    center: 0,
    words: [[QuantizedFrame.format, WeightFormat.halves]],
    data: [data],
  };
}

/** @throws ArgumentError unless it is a power of two from 16. */
export function checkBlock(operation: string, argument: string, block: unknown): void {
  if (Number.isInteger(block) && (block as number) >= 16 && Math.log2(block as number) % 1 === 0) {
    return;
  }
  throw new ArgumentError(operation, argument, "a power of two from 16", describe(block));
}

/** [out, in], the only order of these formats. */
function matrixOf(operation: string, given: unknown, order: Order | undefined) {
  if (order === "in,out") {
    const expected = '"out,in", as the format has it';
    throw new ArgumentError(operation, "order", expected, describe(order));
  }
  const dims = checkDims(operation, "weight.dims", given);
  const [outputs = 0, inputs = 0] = dims;
  if (dims.length !== 2 || outputs < 1 || inputs < 1) {
    const expected = "[out,in], each at least 1";
    throw new ArgumentError(operation, "weight.dims", expected, describe(dims));
  }
  return [outputs, inputs] as const;
}

/** One of `counts` floats. */
function floats(
  operation: string,
  argument: string,
  view: unknown,
  counts: readonly number[],
  slot: number,
): Bytes {
  const elements = kindOf(view) === "Float32Array" ? lengthOf(view as Float32Array) : -1;
  if (counts.includes(elements)) return { slot, argument, view: view as Float32Array, elements };
  const received = elements < 0 ? describe(view) : `${elements}`;
  const expected = `a Float32Array of ${counts.join(" or ")} elements`;
  throw new ArgumentError(operation, argument, expected, received);
}

/** One of `counts` elements of an array of one of `kinds`, as bytes. */
function bytes(
  operation: string,
  { argument, slot }: { readonly argument: string; readonly slot: number },
  view: unknown,
  kinds: readonly string[],
  ...counts: readonly number[]
): Bytes {
  const kind = kindOf(view) ?? "";
  const given = view as Uint8Array;
  const length = kinds.includes(kind) ? lengthOf(given) : -1;
  if (!counts.includes(length)) {
    const received = length < 0 ? describe(view) : `${length}`;
    const expected = `a ${kinds.join(" or ")} of ${counts.join(" or ")} elements`;
    throw new ArgumentError(operation, argument, expected, received);
  }
  const elements = kind === "Uint16Array" ? length * 2 : length;
  const same = new Uint8Array(bufferOf(given), byteOffsetOf(given), elements);
  return { slot, argument, view: same, elements };
}
