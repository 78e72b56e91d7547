// Numbers as safetensors files hold them, to float32.

import { fromBfloat16, fromFloat16 } from "../tensor/halffloat";
import type { NumberType } from "./file";

type Decode = NumberType["decode"];
type View = new (buffer: ArrayBufferLike) => ArrayLike<number | bigint>;

/** Bytes are in a buffer of their own from its start. */
const as =
  (Kind: View): Decode =>
  ({ buffer }) => {
    const view = new Kind(buffer);
    return Kind === (Float32Array as View)
      ? (view as unknown as Float32Array)
      : Float32Array.from(view as ArrayLike<number>, Number);
  };

/** The value of each byte. */
const byTable =
  (value: (bits: number) => number): Decode =>
  (bytes) => {
    const table = Float32Array.from({ length: 256 }, (_, bits) => value(bits));
    return Float32Array.from(bytes, (bits) => table[bits] as number);
  };

/** Four bits of exponent, three of mantissa, no infinity (Micikevicius et al. 2022, "FP8 formats for deep learning"). */
function e4m3(bits: number): number {
  const [exponent, mantissa] = [(bits >> 3) & 15, bits & 7];
  if (exponent === 15 && mantissa === 7) return Number.NaN;
  const magnitude = exponent ? 2 ** (exponent - 7) * (1 + mantissa / 8) : mantissa * 2 ** -9;
  return bits & 128 ? -magnitude : magnitude;
}

const numbers = (name: string, bytes: number, decode?: Decode, block = 1): NumberType => ({
  name,
  block,
  bytes,
  decode,
});

/** By the names of the format (huggingface/safetensors, README). */
export const DTYPES: ReadonlyMap<string, NumberType> = new Map(
  [
    numbers("F64", 8, as(Float64Array)),
    numbers("F32", 4, as(Float32Array)),
    numbers("F16", 2, ({ buffer }) => fromFloat16(new Uint16Array(buffer))),
    numbers("BF16", 2, ({ buffer }) => fromBfloat16(new Uint16Array(buffer))),
    numbers("F8_E5M2", 1, (bytes) => fromFloat16(Uint16Array.from(bytes, (bits) => bits << 8))),
    numbers("F8_E4M3", 1, byTable(e4m3)),
    numbers(
      "F8_E8M0",
      1,
      byTable((bits) => (bits === 255 ? Number.NaN : 2 ** (bits - 127))),
    ),
    numbers("I64", 8, as(BigInt64Array)),
    numbers("I32", 4, as(Int32Array)),
    numbers("I16", 2, as(Int16Array)),
    numbers("I8", 1, as(Int8Array)),
    numbers("U64", 8, as(BigUint64Array)),
    numbers("U32", 4, as(Uint32Array)),
    numbers("U16", 2, as(Uint16Array)),
    numbers("U8", 1, as(Uint8Array)),
    numbers("BOOL", 1, as(Uint8Array)),
    numbers("C64", 8),
    numbers("F6_E2M3", 3, undefined, 4),
    numbers("F6_E3M2", 3, undefined, 4),
    numbers("F4", 1, undefined, 2),
  ].map((type) => [type.name, type]),
);
