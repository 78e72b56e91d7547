// Small weight files, whole ones and damaged ones, and what the whole ones hold.

import assert from "node:assert/strict";
import type { WeightFile } from "wasm-attention/weights";
import { randomArray } from "./engines";

export interface Written {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export const floats = (values: readonly number[]) =>
  new Uint8Array(Float32Array.from(values).buffer);
export const [a, b] = [randomArray(6, 1), randomArray(4, 2)];
export const written = {
  "block.a": { dtype: "F32", shape: [2, 3], bytes: floats([...a]) },
  "block.b": { dtype: "F32", shape: [4], bytes: floats([...b]) },
  scalar: { dtype: "F32", shape: [], bytes: floats([7]) },
  none: { dtype: "F32", shape: [0, 5], bytes: new Uint8Array(0) },
};

/** What `written` has, read as float32. */
export async function isWhole(opened: WeightFile) {
  assert.deepEqual([...opened.entries.keys()].sort(), Object.keys(written).sort());
  assert.deepEqual(opened.entries.get("block.a"), { dtype: "F32", dims: [2, 3], byteLength: 24 });
  assert.deepEqual(await opened.tensor("block.a"), { data: a, dims: [2, 3] });
  assert.deepEqual(await opened.tensor("block.b"), { data: b, dims: [4] });
  assert.deepEqual(await opened.tensor("scalar"), { data: Float32Array.of(7), dims: [] });
  assert.deepEqual(await opened.tensor("none"), { data: new Float32Array(0), dims: [0, 5] });
  assert.deepEqual(await opened.bytes("scalar"), floats([7]));
}

/** Of tensors, or with a header as it is given and what follows it. */
export function safetensors(
  tensors: Readonly<Record<string, Written>> | string | Uint8Array,
  rest: Readonly<Record<string, string>> | Uint8Array = {},
): Uint8Array {
  if (typeof tensors === "string" || tensors instanceof Uint8Array) {
    const header = typeof tensors === "string" ? new TextEncoder().encode(tensors) : tensors;
    return joined(header, rest instanceof Uint8Array ? rest : new Uint8Array(0));
  }
  let at = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    const from = at;
    at += bytes.length;
    return [name, { dtype, shape, data_offsets: [from, at] }];
  });
  const header = JSON.stringify({ __metadata__: rest, ...Object.fromEntries(entries) });
  const data = Buffer.concat(Object.values(tensors).map(({ bytes }) => bytes));
  return joined(new TextEncoder().encode(header), data);
}

function joined(header: Uint8Array, data: Uint8Array): Uint8Array {
  const length = new Uint8Array(new BigUint64Array([BigInt(header.length)]).buffer);
  return new Uint8Array(Buffer.concat([length, header, data]));
}

export interface GgufTensor {
  readonly name: string;
  /** In PyTorch's order. */
  readonly dims: readonly number[];
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** Version 3; whole numbers as uint32, others as float32, lists of texts, of numbers or of lists. */
export function gguf(metadata: Readonly<Record<string, unknown>>, tensors: readonly GgufTensor[]) {
  const alignment = Number(metadata["general.alignment"] ?? 32) || 32;
  const parts: Uint8Array[] = [];
  const u32 = (value: number) => parts.push(new Uint8Array(Uint32Array.of(value).buffer));
  const u64 = (value: number) =>
    parts.push(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    u64(bytes.length);
    parts.push(bytes);
  };
  const typeOf = (value: unknown) => {
    if (Array.isArray(value)) return 9;
    if (typeof value === "string") return 8;
    return Number.isInteger(value) ? 4 : 6;
  };
  const put = (value: unknown) => {
    if (typeof value === "string") text(value);
    else if (typeOf(value) === 6) parts.push(floats([value as number]));
    else if (!Array.isArray(value)) u32(value as number);
    else {
      u32(typeOf(value[0]));
      u64(value.length);
      for (const item of value) put(item);
    }
  };
  u32(0x46554747);
  u32(3);
  u64(tensors.length);
  u64(Object.keys(metadata).length);
  for (const [name, value] of Object.entries(metadata)) {
    text(name);
    u32(typeOf(value));
    put(value);
  }
  const padded = (length: number) => Math.ceil(length / alignment) * alignment;
  let at = 0;
  for (const { name, dims, type, bytes } of tensors) {
    text(name);
    u32(dims.length);
    for (const size of [...dims].reverse()) u64(size);
    u32(type);
    u64(at);
    at += padded(bytes.length);
  }
  const fill = () => {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    parts.push(new Uint8Array(padded(length) - length));
  };
  fill();
  for (const { bytes } of tensors) {
    parts.push(bytes);
    fill();
  }
  return new Uint8Array(Buffer.concat(parts));
}

export const file = safetensors(written, { format: "pt" });
