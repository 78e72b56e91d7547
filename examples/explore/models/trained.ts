// Files that prepare.ts writes and the page reads: what a model has learnt, and images.

import { readSafetensors } from "wasm-attention/weights";
import { type Digits, imageOf, SIDE } from "../../digits/patches";
import type { Parameter } from "../../training/block";
import { writeSafetensors } from "../../write/safetensors";

interface Learnt {
  readonly parameters: readonly Parameter[];
  update(): void;
}

/** A model's parameters by their places. */
export function remember({ parameters }: Learnt): Uint8Array {
  const tensors = parameters.map(
    ({ data, dims }, at) => [`${at}`, { dtype: "F32" as const, shape: dims, data }] as const,
  );
  return writeSafetensors({ tensors: new Map(tensors), metadata: {} });
}

/** Gives a model what `remember` kept of another of its kind. */
export async function learn(model: Learnt, bytes: Uint8Array): Promise<void> {
  const file = await readSafetensors(bytes);
  for (const [at, parameter] of model.parameters.entries())
    parameter.data.set((await file.tensor(`${at}`)).data);
  model.update();
}

/** The labels, then the pixels. */
export function writeImages(digits: Digits, indices: readonly number[]): Uint8Array {
  const labels = indices.map((index) => digits.labels[index]);
  return Uint8Array.from([...labels, ...indices.flatMap((index) => [...imageOf(digits, index)])]);
}

export function readImages(bytes: Uint8Array): Digits {
  const count = bytes.length / (1 + SIDE * SIDE);
  return { count, labels: bytes.subarray(0, count), pixels: bytes.subarray(count) };
}
