// TensorFlow.js's tensors as ours and back. The cpu backend keeps the very array it is given, and gives
// that array out again: what is written must be no view of linear memory, and is not touched afterwards.

import type { DataType, KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import { ArgumentError, type Attention, type MaskData, type Tensor } from "wasm-attention";
import { describe } from "../errors";

/** What a kernel needs of the backend it runs on. */
export type Backend = Pick<KernelBackend, "readSync" | "write">;

/** A kernel of ours, for every backend. */
export interface Kernel {
  readonly name: string;
  run: (
    attention: Attention<"training">,
    inputs: TensorInfo[],
    // biome-ignore lint/suspicious/noExplicitAny: each kernel knows its own attributes
    attributes: any,
    backend: Backend,
  ) => TensorInfo[];
}

/** The elements of a float32 tensor, not to be changed. */
export function read(backend: Backend, { dataId, shape }: TensorInfo): Tensor {
  const values = backend.readSync(dataId);
  const data =
    values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>);
  return { data, dims: shape };
}

const above = (x: number) => (x > 0 ? 1 : 0);

/** The elements of a mask: additive where it is float32, else which keys take part. */
export function readMask(backend: Backend, info: TensorInfo): { data: MaskData; dims: number[] } {
  const dims = info.shape;
  if (info.dtype === "float32") return { data: read(backend, info).data, dims };
  return { data: Uint8Array.from(backend.readSync(info.dataId) as ArrayLike<number>, above), dims };
}

/** A tensor of the backend with these elements. */
export function write(backend: Backend, { data, dims }: Tensor): TensorInfo {
  const shape = [...dims];
  return { dataId: backend.write(data, shape, "float32"), shape, dtype: "float32" };
}

/** @throws ArgumentError unless `value` is a tensor of TensorFlow.js of one of these types. */
export function checkTensor(
  operation: string,
  argument: string,
  value: unknown,
  types: readonly DataType[] = ["float32"],
): void {
  const given = value as { shape?: unknown; dataId?: unknown; dtype?: DataType } | undefined;
  if (typeof given !== "object" || !given || !Array.isArray(given.shape) || !given.dataId) {
    const expected = "a tensor of TensorFlow.js";
    throw new ArgumentError(operation, argument, expected, describe(value));
  }
  checkType(operation, argument, given, types);
}

/** The same of a tensor, or of one that a model has yet to make. */
export function checkType(
  operation: string,
  argument: string,
  { dtype }: { dtype?: DataType },
  types: readonly DataType[],
): void {
  if (types.includes(dtype as DataType)) return;
  throw new ArgumentError(operation, `${argument}.dtype`, types.join(" or "), `${dtype}`);
}
