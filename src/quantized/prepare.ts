// prepareQuantized: a weight of few bits for `linear` and the layer.

import {
  IntegerProduct,
  OffsetKind,
  QuantizedKernel,
  WeightFormat,
  WeightNumbers,
} from "../../assembly/kinds";
import { QuantizedFrame } from "../../build/frames";
import { type Attention, checkAttention } from "../attend/attention";
import { reader } from "../check/names";
import { ArgumentError, describe } from "../errors";
import { clearedFrame, type Engine } from "../instance/instance";
import { type Module, moduleOf } from "../instance/modules";
import { checkMatrix, checkOrder } from "../linear/linear";
import { PreparedLinear } from "../linear/prepared";
import type { Form, Order } from "../linear/product";
import { Staging } from "../run/staging";
import { checkTensor, checkVector, type Tensor } from "../tensor/tensor";
import { checkBlock, type Packable } from "./packable";
import type { StoredWeight } from "./stored";
import { checkStored } from "./weights";

/** Options of `prepareQuantized`. */
export interface PrepareQuantizedOptions {
  /** What float32 weights are rounded to; a stored weight keeps its numbers. */
  numbers?: "int8" | "int4" | undefined;
  /** Inputs that share a scale, a power of two from 16: all by default for int8, 32 for int4. */
  block?: number | undefined;
  /**
   * What the rows of the matrix are: [out, in] (PyTorch) or [in, out] (Keras, plain x·W). MatMulNBits and
   * ggml's blocks are always [out, in].
   */
  order?: "out,in" | "in,out" | undefined;
  /** One number for each output. */
  bias?: Float32Array | Tensor | undefined;
  /**
   * How x is multiplied: rounded to 16, 14 or 8 bits, 256 inputs of a row to a scale, or in float32, slower
   * and with the bits of `linear` with `dequantize`'s weight. "int14" and "int8" are faster than "int16" where
   * the processor multiplies bytes (VNNI, sdot), with the same bits everywhere; "int8", which is −63 to 63, has
   * an error of its own of 2 %, and of 8 % where a few inputs are twenty times the others. float16 and bfloat16
   * weights are always multiplied in float32.
   */
  activations?: "int16" | "int14" | "int8" | "float32" | undefined;
}

const read = reader<PrepareQuantizedOptions>(
  { numbers: 1, block: 1, order: 1, bias: 1, activations: 1 },
  "{ numbers, order, … }",
);

interface QuantizedModule extends Module {
  packedWeightBytes(frame: number): number;
  lowering(): number;
}

/** Answers of an engine that multiplies bytes by one instruction, see assembly/simd/bytes.ts. */
const IN_ONE = [129540, -508];

/** The largest integer of x. */
const MOST = { int16: 32767, int14: 8191, int8: 63, float32: 0 } as const;

/** A divisor of the part of the depth that is multiplied at a time, see assembly/tiles.ts. */
const LONGEST_SEGMENT = 256;

/**
 * Prepares a weight of few bits for `linear` and `MultiHeadAttention`: float32, rounded to int8 or int4, or
 * one as files hold it, whose numbers are kept. It lies in linear memory until disposed.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `prepareLinear`.
 */
export function prepareQuantized(
  attention: Attention<"quantized">,
  weight: Tensor | StoredWeight,
  options: PrepareQuantizedOptions,
): PreparedLinear {
  const name = "prepareQuantized";
  const engine = checkAttention(name, attention).running(name);
  moduleFor(engine, name);
  const given = read(name, options);
  const order = given.order === undefined ? undefined : checkOrder(name, given.order);
  const packable = isStored(weight)
    ? checkKept(name, weight, given, order)
    : checkRounded(name, weight, given);
  return prepare(engine, name, packable, { ...given, order });
}

/** `options` as they were read. */
export function prepareRounded(
  engine: Engine,
  operation: string,
  weight: Tensor,
  options: PrepareQuantizedOptions,
): PreparedLinear {
  moduleFor(engine, operation);
  return prepare(engine, operation, checkRounded(operation, weight, options), options);
}

/** @throws ArgumentError where the engine was made without it. */
function moduleFor(engine: Engine, operation: string): QuantizedModule {
  return engine.modules[moduleOf(engine, operation, "quantized")] as QuantizedModule;
}

function prepare(
  engine: Engine,
  name: string,
  packable: Packable,
  given: PrepareQuantizedOptions,
): PreparedLinear {
  const { order } = given;
  const { inputSize, outputSize } = checkMatrix(name, packable.dims, order ?? "out,in");
  const bias =
    given.bias === undefined ? undefined : checkVector(name, "bias", given.bias, outputSize);
  const { activations = "int16" } = given;
  if (typeof activations !== "string" || !Object.hasOwn(MOST, activations)) {
    const expected = '"int16", "int14", "int8" or "float32"';
    throw new ArgumentError(name, "activations", expected, describe(activations));
  }
  const sizes = { order: order ?? "out,in", inputSize, outputSize, biased: bias !== undefined };
  const product = productOf(engine, moduleFor(engine, name), activations);
  const form = formOf(packable, inputSize, { product, most: MOST[activations] });
  const packed = pack(engine, name, packable, { ...sizes, form, bias });
  return new PreparedLinear(engine, { ...sizes, form, packed });
}

/** Whether a weight says how its numbers are kept. */
function isStored(weight: unknown): weight is StoredWeight {
  return typeof weight === "object" && weight !== null && "format" in weight;
}

function checkKept(
  operation: string,
  weight: StoredWeight,
  { numbers, block }: PrepareQuantizedOptions,
  order: Order | undefined,
): Packable {
  for (const [argument, value] of Object.entries({ numbers, block })) {
    if (value === undefined) continue;
    const expected = "no value for a stored weight, which keeps its own";
    throw new ArgumentError(operation, argument, expected, describe(value));
  }
  return checkStored(operation, weight, order);
}

function checkRounded(
  operation: string,
  weight: unknown,
  { numbers, block, order }: PrepareQuantizedOptions,
): Packable {
  if (numbers !== "int8" && numbers !== "int4") {
    const expected = '"int8" or "int4"';
    throw new ArgumentError(operation, "numbers", expected, describe(numbers));
  }
  checkOrder(operation, order);
  if (block !== undefined) checkBlock(operation, "block", block);
  const four = numbers === "int4";
  const checked = checkTensor(operation, "weight", weight);
  return {
    dims: checked.dims,
    numbers: four ? WeightNumbers.int4 : WeightNumbers.int8,
    block: block ?? (four ? 32 : 0),
    offsets: OffsetKind.none,
    center: 8,
    words: [[QuantizedFrame.format, WeightFormat.float32]],
    data: checked,
  };
}

/** The fastest way to the same sums that this engine has. */
function productOf(
  { variant }: Engine,
  module: QuantizedModule,
  activations: keyof typeof MOST,
): IntegerProduct {
  const bytes = activations === "int8" || activations === "int14";
  if (!bytes || variant !== "relaxed") return IntegerProduct.words;
  if (IN_ONE.includes(module.lowering())) return IntegerProduct.bytes;
  // Of two planes they take longer than words.
  return activations === "int8" ? IntegerProduct.bytePairs : IntegerProduct.words;
}

/** How x is multiplied. */
interface Multiplied {
  readonly product: IntegerProduct;
  /** The largest integer of x, 0 in float32. */
  readonly most: number;
}

const NAMES = ["int8", "int4", "int8", "int4", "float16", "bfloat16"];

/** What the kernels have to know of it. */
function formOf(packable: Packable, inputSize: number, { product, most }: Multiplied): Form {
  const { offsets, center } = packable;
  let { numbers } = packable;
  if (product !== IntegerProduct.words) {
    if (numbers === WeightNumbers.int8) numbers = WeightNumbers.int8Fours;
    if (numbers === WeightNumbers.int4) numbers = WeightNumbers.int4Fours;
  }
  const segment = Math.min(packable.block || LONGEST_SEGMENT, LONGEST_SEGMENT);
  return {
    extension: "quantized",
    kernel: QuantizedKernel.linear,
    numbers: NAMES[numbers] as string,
    words: [
      [QuantizedFrame.numbers, numbers],
      [QuantizedFrame.product, product],
      [QuantizedFrame.most, most],
      [QuantizedFrame.segment, segment],
      [QuantizedFrame.offsets, offsets],
      [QuantizedFrame.center, center],
      [QuantizedFrame.floats, +(most === 0)],
      [QuantizedFrame.block, packable.block || inputSize],
    ],
  };
}

interface Sizes {
  readonly bias?: Tensor | undefined;
  readonly order: Order;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly form: Form;
}

export function writeSizes(engine: Engine, { order, inputSize, outputSize, form }: Sizes): void {
  const words = clearedFrame(engine);
  words[QuantizedFrame.threads] = 1;
  words[QuantizedFrame.depth] = inputSize;
  words[QuantizedFrame.columns] = outputSize;
  words[QuantizedFrame.outputIsRow] = order === "out,in" ? 1 : 0;
  for (const [slot, value] of form.words) words[slot] = value;
}

/** The address of a block with the weight and its bias. */
function pack(engine: Engine, name: string, packable: Packable, sizes: Sizes): number {
  const module = moduleFor(engine, name);
  const { bias } = sizes;
  writeSizes(engine, sizes);
  const packed = engine.arena.allocate(name, module.packedWeightBytes(engine.frame));
  const staging = new Staging(engine, name);
  try {
    const { data } = packable;
    if ("dims" in data) staging.tensor(QuantizedFrame.weight, "weight", data);
    else {
      for (const { slot, argument, view, elements } of data) {
        staging.data(slot, argument, view, elements);
      }
    }
    if (bias) staging.tensor(QuantizedFrame.bias, "bias", bias);
    staging.block(QuantizedFrame.packed, packed);
    const kernel = QuantizedKernel.pack;
    staging.reserve(QuantizedFrame.scratch, module.scratchBytes(kernel, engine.frame));
    writeSizes(engine, sizes);
    const words = engine.words;
    for (const [slot, value] of packable.words) words[slot] = value;
    module.run(kernel, staging.begin(), 0, 0, 0);
    return packed;
  } catch (error) {
    engine.arena.release(packed);
    throw error;
  } finally {
    staging.release();
  }
}
