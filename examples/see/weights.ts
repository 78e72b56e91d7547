// A trained model as a file: matrices in int8 with a scale for each of their rows, the rest in float32.

import type { Attention, Tensor } from "wasm-attention";
import { readSafetensors } from "wasm-attention/weights";
import { seeded } from "../training/random";
import { type Stored, writeSafetensors } from "../write/safetensors";
import { quantised } from "../write/weights";
import type { Reader } from "./look";
import { Seeing, type Shape } from "./model";
import { Words } from "./words";

export interface Trained {
  readonly shape: Shape;
  readonly words: readonly string[];
  readonly answers: readonly string[];
  /** In the order of a model's. */
  readonly parameters: readonly Tensor[];
}

export function packModel(
  { shape, parameters }: Seeing,
  words: readonly string[],
  answers: readonly string[],
): Uint8Array {
  const tensors = new Map<string, Stored>();
  parameters.forEach((parameter, index) => {
    const { data, dims } = parameter;
    if (dims.length === 1) tensors.set(`${index}`, { dtype: "F32", shape: dims, data });
    else {
      const { rows, scales } = quantised(parameter);
      tensors.set(`${index}`, { dtype: "I8", ...rows });
      tensors.set(`${index}.scales`, { dtype: "F32", shape: [scales.length], data: scales });
    }
  });
  const metadata = {
    shape: JSON.stringify(shape),
    words: JSON.stringify(words),
    answers: JSON.stringify(answers),
  };
  return writeSafetensors({ tensors, metadata });
}

export async function unpackModel(bytes: Uint8Array): Promise<Trained> {
  const file = await readSafetensors(bytes);
  const [shape, words, answers] = ["shape", "words", "answers"].map((name) =>
    JSON.parse(String(file.metadata.get(name))),
  );
  const parameters: Tensor[] = [];
  for (let index = 0; file.entries.has(`${index}`); index++) {
    const { data, dims } = await file.tensor(`${index}`);
    if (dims.length === 2) {
      const { data: scales } = await file.tensor(`${index}.scales`);
      for (let i = 0; i < data.length; i++) data[i] *= scales[Math.floor(i / dims[1])];
    }
    parameters.push({ data, dims });
  }
  return { shape, words, answers, parameters };
}

/** The model of a file, with its words and answers. */
export async function readerOf(
  attention: Attention<"blocks" | "positions" | "training">,
  bytes: Uint8Array,
): Promise<Reader> {
  const { shape, words, answers, parameters } = await unpackModel(bytes);
  const model = new Seeing(attention, shape, seeded(1));
  model.parameters.forEach(({ data }, index) => {
    data.set(parameters[index].data);
  });
  model.update();
  return { model, words: new Words(words), answers };
}
