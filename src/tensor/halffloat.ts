// Half floats, as real weights arrive: bits in a Uint16Array ↔ Float32Array. Every value is
// exact on the way up; on the way down it is rounded to the nearest, ties to even.

import { kindOf, lengthOf } from "../arrays";
import { ArgumentError, describe } from "../errors";

/** float32 bits of a float16's 5 bits of exponent 0 … 31 moved into place: 2^(127 − 15). */
const REBIAS = 2 ** 112;

/**
 * IEEE 754 float16 → float32.
 * @throws ArgumentError unless `bits` is a Uint16Array.
 */
export function fromFloat16(bits: Uint16Array): Float32Array {
  const length = checkBits("fromFloat16", bits);
  const words = new Uint32Array(length);
  const floats = new Float32Array(words.buffer);
  for (let i = 0; i < length; i++) {
    const half = bits[i] as number;
    const magnitude = half & 0x7fff;
    const sign = (half & 0x8000) << 16;
    if (magnitude >= 0x7c00) {
      words[i] = sign | 0x7f800000 | ((magnitude & 0x3ff) << 13);
      continue;
    }
    // The same digits 112 powers of two too small, subnormals among them; the product is exact.
    words[i] = magnitude << 13;
    floats[i] = (floats[i] as number) * REBIAS;
    words[i] = (words[i] as number) | sign;
  }
  return floats;
}

/**
 * float32 → IEEE 754 float16: beyond 65504 it becomes Infinity, below 2⁻²⁵ zero.
 * @throws ArgumentError unless `values` is a Float32Array.
 */
export function toFloat16(values: Float32Array): Uint16Array {
  if (kindOf(values) !== "Float32Array") {
    throw new ArgumentError("toFloat16", "values", "a Float32Array", describe(values));
  }
  const length = lengthOf(values);
  const bits = new Uint16Array(length);
  const word = new Uint32Array(1);
  const float = new Float32Array(word.buffer);
  for (let i = 0; i < length; i++) {
    float[0] = values[i] as number;
    const whole = word[0] as number;
    const sign = (whole >>> 16) & 0x8000;
    const magnitude = whole & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      // NaN keeps its upper digits, and stays one if those are all 0.
      bits[i] = sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
    } else if (magnitude >= 0x477ff000) {
      bits[i] = sign | 0x7c00;
    } else if (magnitude < 0x38800000) {
      // Below 2⁻¹⁴: adding ½ leaves the digits down to 2⁻²⁴, rounded, at the end of the float.
      word[0] = magnitude;
      float[0] = (float[0] as number) + 0.5;
      bits[i] = sign | ((word[0] as number) - 0x3f000000);
    } else {
      const odd = (magnitude >>> 13) & 1;
      bits[i] = sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
    }
  }
  return bits;
}

/**
 * bfloat16, the upper half of a float32, → float32.
 * @throws ArgumentError unless `bits` is a Uint16Array.
 */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const length = checkBits("fromBfloat16", bits);
  const words = new Uint32Array(length);
  for (let i = 0; i < length; i++) words[i] = (bits[i] as number) << 16;
  return new Float32Array(words.buffer);
}

function checkBits(operation: string, bits: unknown): number {
  if (kindOf(bits) === "Uint16Array") return lengthOf(bits as Uint16Array);
  throw new ArgumentError(operation, "bits", "a Uint16Array", describe(bits));
}
