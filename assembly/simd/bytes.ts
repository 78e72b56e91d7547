// Sums of products of bytes: numbers of −127 to 127 by others of 0 to 127, for which alone every engine's
// relaxed dot product gives the same (relaxed SIMD's overview: of a second operand with its high bit set, the
// rest is up to the engine). Neither the pairs of 16 bits, of at most 2 · 127 · 127, nor their sums overflow.

/** How they are multiplied. */
export enum ByteForm {
  words, // as numbers of 16 bits, in the portable build
  two, // pairs of 16 bits, and these by 1
  one, // in one instruction
}

/** What the portable build's products of lowering() leave: their first operand. */
const NONE: i32 = 0x7f7f7f7f;

/**
 * What this engine makes of 4 · 127 · 255, which is outside what is defined: 129540 where one instruction of
 * unsigned by signed bytes does all (VNNI), −508 of signed bytes (sdot), 65534 where two pairs of 16 bits are
 * saturated. NONE in the portable build, where scripts/variants.mjs puts nothing in the product's place.
 */
export function lowering(): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return NONE;
  // Read from memory, so that no optimiser has an answer of its own.
  const operands = memory.data<u8>([127, 127, 127, 127, 255, 255, 255, 255]);
  const a = v128.load32_splat(operands);
  const b = v128.load32_splat(operands, 4);
  return i32x4.extract_lane(i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, i32x4.splat(0)), 0);
}

/**
 * Two where the engine needs several instructions for the one: V8 then builds a constant at each use, and
 * its first tier of Node 20 computes it wrongly, with another answer.
 */
export function byteForm(): ByteForm {
  const answer = lowering();
  if (answer == NONE) return ByteForm.words;
  return answer == 129540 || answer == -508 ? ByteForm.one : ByteForm.two;
}

/** Bytes of a number as it lies for a form. */
// @ts-ignore: decorator
@inline
export function numberBytes(form: ByteForm): usize {
  return form == ByteForm.words ? 2 : 1;
}

const ONE = memory.data<i16>([1, 1]);

/** 1 in each lane of 16 bits, from memory: V8 would build a constant anew at each use. */
// @ts-ignore: decorator
@inline
export function onesOf(form: ByteForm): v128 {
  return form == ByteForm.two ? v128.load32_splat(ONE) : i16x8.splat(0);
}

/** sum + the products of each four bytes, or two words; `form` is a constant where this is inlined. */
// @ts-ignore: decorator
@inline
export function addProducts(
  sum: v128,
  signed: v128,
  unsigned: v128,
  form: ByteForm,
  ones: v128,
): v128 {
  if (!ASC_FEATURE_RELAXED_SIMD || form == ByteForm.words)
    return i32x4.add(sum, i32x4.dot_i16x8_s(signed, unsigned));
  if (form == ByteForm.one) return i32x4.relaxed_dot_i8x16_i7x16_add_s(signed, unsigned, sum);
  const pairs = i16x8.relaxed_dot_i8x16_i7x16_s(signed, unsigned);
  return i32x4.add(sum, i32x4.dot_i16x8_s(pairs, ones));
}
