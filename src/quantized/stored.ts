// Weights as files hold them, as a caller hands them over.

/** The right side of com.microsoft's MatMulNBits: (q − zero point) · scale, blocks along the inputs. */
export interface MatMulNBitsWeight {
  /** The operator. */
  readonly format: "MatMulNBits";
  /** [out, in], the operator's N and K. */
  readonly dims: readonly number[];
  /** Of a number. */
  readonly bits: 2 | 4 | 8;
  /** Inputs that share a scale, a power of two from 16. */
  readonly blockSize: number;
  /** [out, blocks, blockSize · bits / 8], the operator's B. */
  readonly data: Uint8Array;
  /** [out, blocks] */
  readonly scales: Float32Array;
  /** [out, blocks], or bytes as the numbers are packed, each output's from a byte on; 2^(bits − 1) without. */
  readonly zeroPoints?: Uint8Array | Float32Array | undefined;
}

/** Rows of ggml's blocks of 32 or of 256, as `readGguf`'s `bytes` gives them. */
export interface BlockWeight {
  /** ggml's name of the type. */
  readonly format:
    | "Q8_0"
    | "Q4_0"
    | "Q4_1"
    | "Q5_0"
    | "Q5_1"
    | "Q2_K"
    | "Q3_K"
    | "Q4_K"
    | "Q5_K"
    | "Q6_K";
  /** [out, in], in a multiple of 32 or, of those in K, of 256. */
  readonly dims: readonly number[];
  /** Row after row. */
  readonly data: Uint8Array;
}

/** The right side of MatMulInteger and DynamicQuantizeMatMul: (q − zero point) · scale. */
export interface IntegerWeight {
  /** What the bytes are. */
  readonly format: "int8" | "uint8";
  /** In the order that is given beside it, [in, out] in those operators. */
  readonly dims: readonly number[];
  /** One byte for each weight. */
  readonly data: Int8Array | Uint8Array;
  /** One, or one for each output. */
  readonly scales: Float32Array;
  /** One, or one for each output, of the data's type; 0 without. */
  readonly zeroPoints?: Int8Array | Uint8Array | undefined;
}

/** float16 or bfloat16, kept as they are. */
export interface HalfWeight {
  /** ggml's and safetensors' name of the type. */
  readonly format: "F16" | "BF16";
  /** In the order that is given beside it. */
  readonly dims: readonly number[];
  /** Their bits, or the bytes of a file. */
  readonly data: Uint16Array | Uint8Array;
}

/** A weight as files hold it. */
export type StoredWeight = MatMulNBitsWeight | BlockWeight | IntegerWeight | HalfWeight;
