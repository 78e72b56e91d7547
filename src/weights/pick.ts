// Part of a weight file by the beginning of its names, as a layer's constructor takes it.

import { ArgumentError, describe } from "../errors";
import type { Tensor } from "../tensor/tensor";
import { someOf, WeightFile } from "./file";

/**
 * All tensors whose names begin with `prefix`, in float32 and without it, for `fromPyTorch`, `fromPacked`
 * and `fromKeras`: `await pick(file, "encoder.layers.0.self_attn.")`.
 *
 * @throws ArgumentError (rejects) if no name begins so, with those that there are; as `file.tensor`.
 */
export async function pick(file: WeightFile, prefix = ""): Promise<Map<string, Tensor>> {
  if (!(file instanceof WeightFile)) {
    const expected = "what readSafetensors or readGguf gave, after await";
    throw new ArgumentError("pick", "file", expected, describe(file));
  }
  if (typeof prefix !== "string") {
    throw new ArgumentError("pick", "prefix", "a string", describe(prefix));
  }
  const names = [...file.entries.keys()].filter((name) => name.startsWith(prefix));
  if (names.length === 0) {
    const expected = "the beginning of a tensor's name";
    const received = `${JSON.stringify(prefix)}, and the file has ${someOf(file.entries.keys())}`;
    throw new ArgumentError("pick", "prefix", expected, received);
  }
  const tensors = await Promise.all(names.map((name) => file.tensor(name)));
  return new Map(names.map((name, i) => [name.slice(prefix.length), tensors[i] as Tensor]));
}
