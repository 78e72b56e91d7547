// The weights of a tfjs graph model: model.json names them in order, the shards hold them end to
// end.

import { type Tensor, tensor } from "wasm-attention";

/** Bytes of one of the model's files. */
export type Read = (name: string) => Promise<Uint8Array>;

interface Manifest {
  weightsManifest: {
    paths: string[];
    weights: { name: string; shape: number[]; dtype: string }[];
  }[];
}

/** All float32 weights by name. */
export async function readWeights(read: Read): Promise<Map<string, Tensor>> {
  const text = new TextDecoder().decode(await read("model.json"));
  const [{ paths, weights }] = (JSON.parse(text) as Manifest).weightsManifest;
  const shards: Uint8Array[] = [];
  for (const path of paths) shards.push(await read(path));
  const bytes = new Uint8Array(shards.reduce((sum, shard) => sum + shard.length, 0));
  let end = 0;
  for (const shard of shards) {
    bytes.set(shard, end);
    end += shard.length;
  }

  const tensors = new Map<string, Tensor>();
  let offset = 0;
  for (const { name, shape, dtype } of weights) {
    const length = shape.reduce((product, size) => product * size, 1);
    const size = length * (dtype === "bool" ? 1 : 4);
    if (dtype === "float32") {
      // Copied, since a shard boundary or a bool may leave it at any byte.
      const data = new Float32Array(bytes.slice(offset, offset + size).buffer);
      tensors.set(name, tensor(data, shape));
    }
    offset += size;
  }
  return tensors;
}
