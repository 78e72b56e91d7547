// A trained model as a file: matrices in int8 with a scale for each row, the rest in float32.
//
// w ≈ scale · q, q from −127 to 127, scale = largest |w| of the row ÷ 127.

import { type Tensor, tensor } from "wasm-attention";
import { readSafetensors } from "wasm-attention/weights";
import type { Shape } from "./language-model";
import { type Stored, writeSafetensors } from "./safetensors";
import { Vocabulary } from "./text";

/** Matrices are [out, in]; the embedding is [vocabulary, size]. */
export type Weights = ReadonlyMap<string, Tensor>;

export interface TrainedModel {
  readonly shape: Shape;
  readonly vocabulary: Vocabulary;
  readonly weights: Weights;
}

const BLOCK = [
  "norm.scale",
  "norm.bias",
  ...["query", "key", "value", "output"].map((name) => `${name}.weight`),
  ...["query", "key", "value", "output"].map((name) => `${name}.bias`),
  "feed.norm.scale",
  "feed.norm.bias",
  "feed.expand.weight",
  "feed.expand.bias",
  "feed.contract.weight",
  "feed.contract.bias",
];

/** The names of LanguageModel's parameters, in their order. */
export function namesOf({ layers }: Shape): string[] {
  const blocks = Array.from({ length: layers }, (_, i) => BLOCK.map((name) => `${i}.${name}`));
  return ["embedding", ...blocks.flat(), "norm.scale", "norm.bias", "output.weight", "output.bias"];
}

/** `parameters` as LanguageModel has them: matrices [in, out]. */
export function packModel(
  shape: Shape,
  vocabulary: Vocabulary,
  parameters: readonly Tensor[],
): Uint8Array {
  const tensors = new Map<string, Stored>();
  namesOf(shape).forEach((name, index) => {
    const { data, dims } = parameters[index];
    if (dims.length === 1) tensors.set(name, { dtype: "F32", shape: dims, data });
    else {
      const { rows, scales } = quantised(
        name === "embedding" ? parameters[index] : transposed(data, dims),
      );
      tensors.set(name, { dtype: "I8", ...rows });
      tensors.set(`${name}.scales`, { dtype: "F32", shape: [scales.length], data: scales });
    }
  });
  const metadata = {
    shape: JSON.stringify(shape),
    vocabulary: vocabulary.names.join("\n"),
  };
  return writeSafetensors({ tensors, metadata });
}

export async function unpackModel(bytes: Uint8Array): Promise<TrainedModel> {
  const file = await readSafetensors(bytes);
  const shape: Shape = JSON.parse(String(file.metadata.get("shape")));
  const weights = new Map<string, Tensor>();
  for (const name of namesOf(shape)) {
    const { data, dims } = await file.tensor(name);
    if (file.entries.get(name)?.dtype === "I8") {
      const { data: scales } = await file.tensor(`${name}.scales`);
      const columns = dims[dims.length - 1];
      for (let i = 0; i < data.length; i++) data[i] *= scales[Math.floor(i / columns)];
    }
    weights.set(name, tensor(data, dims));
  }
  const names = String(file.metadata.get("vocabulary")).split("\n");
  return { shape, vocabulary: new Vocabulary(names), weights };
}

function transposed(data: Float32Array, [rows, columns]: readonly number[]): Tensor {
  const result = new Float32Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j];
  return { data: result, dims: [columns, rows] };
}

export function quantised({ data, dims }: Tensor) {
  const [rows, columns] = dims;
  const codes = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const from = row * columns;
    let largest = 0;
    for (let i = from; i < from + columns; i++) largest = Math.max(largest, Math.abs(data[i]));
    const scale = Math.fround(largest / 127) || 1;
    scales[row] = scale;
    for (let i = from; i < from + columns; i++) codes[i] = Math.round(data[i] / scale);
  }
  return { rows: { shape: dims, data: codes }, scales };
}
