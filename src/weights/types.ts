// The numbers of GGUF files by ggml's numbers of their types (ggml-org/ggml, include/ggml.h, enum ggml_type).

import { blocksOf32 } from "./blocks-of-32";
import { blocksOf256 } from "./blocks-of-256";
import { bfloat16, float16, float32, float64, int8, int16, int32, int64 } from "./dtypes";
import type { NumberType } from "./file";

const single = (name: string, bytes: number, decode: NumberType["decode"]): NumberType => ({
  name,
  block: 1,
  bytes,
  decode,
});

export const TYPES: ReadonlyMap<number, NumberType> = new Map<number, NumberType>([
  [0, single("F32", 4, float32)],
  [1, single("F16", 2, float16)],
  [24, single("I8", 1, int8)],
  [25, single("I16", 2, int16)],
  [26, single("I32", 4, int32)],
  [27, single("I64", 8, int64)],
  [28, single("F64", 8, float64)],
  [30, single("BF16", 2, bfloat16)],
  ...blocksOf32,
  ...blocksOf256,
]);
