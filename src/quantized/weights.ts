// Weights as files hold them: what a caller hands over, checked.

import { OffsetKind, WeightFormat, WeightNumbers } from "../../assembly/kinds";
import { QuantizedFrame } from "../../build/frames";
import { kindOf } from "../arrays";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import { checkOrder } from "../linear/linear";
import type { Order } from "../linear/product";
import { checkDims, elementsOf } from "../tensor/dims";
import { BLOCKS, checkBlocks } from "./blocks";
import { bytes, checkBlock, DATA, floats, matrixOf, type Packable } from "./packable";
import type { BlockWeight, HalfWeight, IntegerWeight, MatMulNBitsWeight } from "./stored";

const readBits = reader<MatMulNBitsWeight>({
  format: 1,
  dims: 1,
  bits: 1,
  blockSize: 1,
  data: 1,
  scales: 1,
  zeroPoints: 1,
});
const readIntegers = reader<IntegerWeight>({
  format: 1,
  dims: 1,
  data: 1,
  scales: 1,
  zeroPoints: 1,
});
const readHalf = reader<HalfWeight>({ format: 1, dims: 1, data: 1 });

const FORMATS = ["MatMulNBits", ...Object.keys(BLOCKS), "int8", "uint8", "F16", "BF16"];

/** The order has to be given where the format does not say it. */
export function checkStored(operation: string, given: object, order: Order | undefined): Packable {
  const { format } = given as { format: unknown };
  if (format === "MatMulNBits") return checkBits(operation, given, order);
  if (typeof format === "string" && Object.hasOwn(BLOCKS, format)) {
    return checkBlocks(operation, format as BlockWeight["format"], given, order);
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
