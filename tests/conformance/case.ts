// One case of a conformance folder, and the ways its data is moved.

import { fromBfloat16, fromFloat16, type Tensor, tensor, toFloat16 } from "wasm-attention";

export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

export interface Value {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | string | boolean)[];
  readonly tolerance?: Tolerance;
}

export interface Case {
  readonly name: string;
  readonly op: string;
  readonly domain: string;
  readonly expect?: "success" | "failure";
  readonly message?: string;
  // biome-ignore lint/suspicious/noExplicitAny: attributes are whatever the operator has
  readonly attributes: Readonly<Record<string, any>>;
  readonly tolerance: Tolerance;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly (Value | null)[];
}

/** The input of that name. */
export function input({ inputs }: Case, name: string): Value | undefined {
  return inputs.find((value) => value?.name === name) ?? undefined;
}

export function wants({ outputs }: Case, index: number): boolean {
  return Boolean(outputs[index]);
}

/** The lowest float32, which onnxruntime's cases write for −Infinity. */
const LOWEST = -3.4028235e38;

/** Numbers, whatever they are written as. */
export function numbers({ data }: Value): number[] {
  return data.map((item) => (item === LOWEST ? Number.NEGATIVE_INFINITY : Number(item)));
}

export function floats(value: Value): Tensor;
export function floats(value: Value | undefined): Tensor | undefined;
export function floats(value: Value | undefined): Tensor | undefined {
  if (!value) return undefined;
  const singles = Float32Array.from(value.data, Number);
  const { dtype, shape } = value;
  if (dtype === "float16") return tensor(fromFloat16(toFloat16(singles)), shape);
  if (dtype !== "bfloat16") return tensor(singles, shape);
  const bits = Uint16Array.from(new Uint32Array(singles.buffer), (word) => word >>> 16);
  return tensor(fromBfloat16(bits), shape);
}

/** A boolean or additive mask. */
export function maskOf(value: Value) {
  if (value.dtype !== "bool") return floats(value);
  return { data: Uint8Array.from(value.data, Number), dims: value.shape };
}

/** [B, L, H·D] → [B, H, L, D]. */
export function splitHeads({ data, dims }: Tensor, heads: number): Tensor {
  const [batch, rows, width] = dims;
  const size = width / heads;
  return gather([batch, heads, rows, size], (b, h, i, d) => {
    return data[(b * rows + i) * width + h * size + d];
  });
}

/** [B, H, L, D] → [B, L, H·D]. */
export function joinHeads({ data, dims }: Tensor): Tensor {
  const [batch, heads, rows, size] = dims;
  const { data: joined } = gather([batch, rows, heads, size], (b, i, h, d) => {
    return data[((b * heads + h) * rows + i) * size + d];
  });
  return tensor(joined, [batch, rows, heads * size]);
}

/** A tensor of rank 4 from where each element comes from. */
export function gather(
  dims: readonly number[],
  from: (a: number, b: number, c: number, d: number) => number,
): Tensor {
  const [A, B, C, D] = dims;
  const data = new Float32Array(A * B * C * D);
  let index = 0;
  for (let a = 0; a < A; a++)
    for (let b = 0; b < B; b++)
      for (let c = 0; c < C; c++) for (let d = 0; d < D; d++) data[index++] = from(a, b, c, d);
  return tensor(data, dims);
}

/** Columns [from, to) of the last axis. */
export function columns({ data, dims }: Tensor, from: number, to: number): Tensor {
  const width = dims.at(-1) as number;
  const chosen = data.filter((_, index) => index % width >= from && index % width < to);
  return tensor(chosen, [...dims.slice(0, -1), to - from]);
}

/** Element `index` of axis `axis`, and the axis gone. */
export function pick({ data, dims }: Tensor, axis: number, index: number): Tensor {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const chosen = data.filter((_, at) => Math.floor(at / inner) % dims[axis] === index);
  return tensor(chosen, [...dims.slice(0, axis), ...dims.slice(axis + 1)]);
}

/** Parts laid one after the other along the rows of [B, H, rows, D]. */
export function joinRows(first: Tensor | undefined, second: Tensor): Tensor {
  if (!first) return second;
  const [batch, heads, head, size] = first.dims;
  const tail = second.dims[2];
  return gather([batch, heads, head + tail, size], (b, h, i, d) =>
    i < head
      ? first.data[((b * heads + h) * head + i) * size + d]
      : second.data[((b * heads + h) * tail + i - head) * size + d],
  );
}

/** x + bias, the bias [n] of a model's projection kept apart from it. */
export function plus({ data, dims }: Tensor, bias: Float32Array): Tensor {
  return tensor(
    data.map((x, index) => x + bias[index % bias.length]),
    dims,
  );
}
