// The numbers of GGUF files by ggml's numbers of their types (ggml-org/ggml, include/ggml.h, enum ggml_type).

import { blocksOf32 } from "./blocks-of-32";
import { blocksOf256 } from "./blocks-of-256";
import { DTYPES } from "./dtypes";
import type { NumberType } from "./file";

/** Those that safetensors has by the same names. */
const SINGLE = { F32: 0, F16: 1, I8: 24, I16: 25, I32: 26, I64: 27, F64: 28, BF16: 30 };

export const TYPES: ReadonlyMap<number, NumberType> = new Map<number, NumberType>([
  ...Object.entries(SINGLE).map(
    ([name, number]) => [number, DTYPES.get(name) as NumberType] as const,
  ),
  ...blocksOf32,
  ...blocksOf256,
]);
