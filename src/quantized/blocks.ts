// ggml's blocks: what each type has, and a weight of them, checked.

import { OffsetKind, WeightFormat, WeightNumbers } from "../../assembly/kinds";
import { QuantizedFrame } from "../../build/frames";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import type { Order } from "../linear/product";
import { bytes, DATA, matrixOf, type Packable } from "./packable";
import type { BlockWeight } from "./stored";

const readBlocks = reader<BlockWeight>({ format: 1, dims: 1, data: 1 });

interface BlockType {
  /** Inputs of a block, and its bytes. */
  readonly size: number;
  readonly bytes: number;
  /** Inputs that share a scale. */
  readonly part: number;
  readonly format: WeightFormat;
  /** Whether its numbers are kept in 4 bits. */
  readonly four: boolean;
  /** Whether something is added to a number times its scale. */
  readonly min: boolean;
}

const of32 = (bytes: number, format: WeightFormat, four: boolean, min: boolean): BlockType => ({
  size: 32,
  bytes,
  part: 32,
  format,
  four,
  min,
});
const of256 = (
  bytes: number,
  part: number,
  format: WeightFormat,
  four: boolean,
  min: boolean,
): BlockType => ({ size: 256, bytes, part, format, four, min });

export const BLOCKS: Readonly<Record<BlockWeight["format"], BlockType>> = {
  Q8_0: of32(34, WeightFormat.q8_0, false, false),
  Q4_0: of32(18, WeightFormat.q4_0, true, false),
  Q4_1: of32(20, WeightFormat.q4_1, true, true),
  Q5_0: of32(22, WeightFormat.q5_0, false, false),
  Q5_1: of32(24, WeightFormat.q5_1, false, true),
  Q2_K: of256(84, 16, WeightFormat.q2_K, true, true),
  Q3_K: of256(110, 16, WeightFormat.q3_K, true, false),
  Q4_K: of256(144, 32, WeightFormat.q4_K, true, true),
  Q5_K: of256(176, 32, WeightFormat.q5_K, false, true),
  Q6_K: of256(210, 16, WeightFormat.q6_K, false, false),
};

export function checkBlocks(
  operation: string,
  name: BlockWeight["format"],
  given: object,
  order: Order | undefined,
): Packable {
  const weight = readBlocks(operation, given, "weight");
  const [outputs, inputs] = matrixOf(operation, weight.dims, order);
  const { size, bytes: each, part, format, four, min } = BLOCKS[name];
  if (inputs % size) {
    const expected = `whole blocks of ${size} inputs of ${name}`;
    throw new ArgumentError(operation, "weight.dims", expected, describe([outputs, inputs]));
  }
  return {
    dims: [outputs, inputs],
    numbers: four ? WeightNumbers.int4 : WeightNumbers.int8,
    block: part,
    offsets: min ? OffsetKind.behind : OffsetKind.none,
    center: min ? 0 : 8,
    words: [[QuantizedFrame.format, format]],
    data: [bytes(operation, DATA, weight.data, ["Uint8Array"], ((outputs * inputs) / size) * each)],
  };
}
