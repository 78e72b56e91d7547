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

export const float16: Decode = ({ buffer }) => fromFloat16(new Uint16Array(buffer));
export const bfloat16: Decode = ({ buffer }) => fromBfloat16(new Uint16Array(buffer));
export const [float32, float64, int8, int16, int32, int64] = [
  Float32Array,
  Float64Array,
  Int8Array,
  Int16Array,
  Int32Array,
  BigInt64Array,
].map((Kind) => as(Kind as View)) as [Decode, Decode, Decode, Decode, Decode, Decode];

const numbers = (name: string, bits: number, decode?: Decode): NumberType =>
  bits % 8
    ? { name, block: 8 / gcd(bits, 8), bytes: bits / gcd(bits, 8), decode }
    : { name, block: 1, bytes: bits / 8, decode };

const gcd = (a: number, b: number): number => (b ? gcd(b, a % b) : a);

/** By the names of the format (huggingface/safetensors, README). */
export const DTYPES: ReadonlyMap<string, NumberType> = new Map(
  [
    numbers("F64", 64, float64),
    numbers("F32", 32, float32),
    numbers("F16", 16, float16),
    numbers("BF16", 16, bfloat16),
    numbers("F8_E5M2", 8, (bytes) => fromFloat16(Uint16Array.from(bytes, (bits) => bits << 8))),
    numbers("F8_E4M3", 8, byTable(e4m3)),
    numbers(
      "F8_E8M0",
      8,
      byTable((bits) => (bits === 255 ? Number.NaN : 2 ** (bits - 127))),
    ),
    numbers("I64", 64, int64),
    numbers("I32", 32, int32),
    numbers("I16", 16, int16),
    numbers("I8", 8, int8),
    numbers("U64", 64, as(BigUint64Array as unknown as View)),
    numbers("U32", 32, as(Uint32Array)),
    numbers("U16", 16, as(Uint16Array)),
    numbers("U8", 8, as(Uint8Array)),
    numbers("BOOL", 8, as(Uint8Array)),
    numbers("C64", 64),
    numbers("F6_E2M3", 6),
    numbers("F6_E3M2", 6),
    numbers("F4", 4),
  ].map((type) => [type.name, type]),
);
