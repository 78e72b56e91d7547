// The trained model as it writes: weights packed once, and for each text a cache of keys and values in
// every layer, so that a further piece costs one row of products and one query.

import {
  type Attention,
  linear,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { type AttentionCache, type CacheNumbers, createCache } from "wasm-attention/cache";
import { alibiSlopes } from "wasm-attention/positions";
import { add, layerNorm, type Norm, relu } from "../semantic-search/blocks";
import { parted, sideBySide } from "../semantic-search/columns";
import type { TrainedModel } from "./weights";

const EPSILON = 1e-5;

interface Layer {
  readonly norm: Norm;
  /** Query, key and value side by side. */
  readonly project: PreparedLinear;
  readonly output: PreparedLinear;
  readonly feedNorm: Norm;
  readonly expand: PreparedLinear;
  readonly contract: PreparedLinear;
}

/** What the heads of a layer make of query, key and value [B, L, size]. */
export type Attend = (layer: number, query: Tensor, key: Tensor, value: Tensor) => Tensor;

/** What `append` gives. */
export interface Read {
  /** [B, vocabulary] of what follows the last piece, or [B, L, vocabulary] for every one. */
  readonly logits: Tensor;
  /** If asked for, of each layer: [B, H, L, S]. */
  readonly weights: readonly Tensor[];
}

export class Writer {
  readonly model: TrainedModel;
  readonly attention: Attention<"positions" | "cache">;
  readonly layers: readonly Layer[];
  readonly norm: Norm;
  readonly output: PreparedLinear;
  readonly alibi: { slopes: Float32Array };

  constructor(attention: Attention<"positions" | "cache">, model: TrainedModel) {
    const { shape } = model;
    this.attention = attention;
    this.model = model;
    this.alibi = { slopes: alibiSlopes(shape.heads) };
    this.layers = Array.from({ length: shape.layers }, (_, i) => ({
      norm: this.#norm(`${i}.norm`),
      project: this.#prepare(`${i}.query`, `${i}.key`, `${i}.value`),
      output: this.#prepare(`${i}.output`),
      feedNorm: this.#norm(`${i}.feed.norm`),
      expand: this.#prepare(`${i}.feed.expand`),
      contract: this.#prepare(`${i}.feed.contract`),
    }));
    this.norm = this.#norm("norm");
    this.output = this.#prepare("output");
  }

  /** Texts that are written side by side, each empty; `numbers` is how their keys and values are kept. */
  begin(count = 1, numbers: CacheNumbers = "float32"): Texts {
    return new Texts(this, count, numbers);
  }

  /** Logits [B, vocabulary] of what follows ids [B][L], or of `every` one [B, L, vocabulary]. */
  read(ids: readonly (readonly number[])[], attend: Attend, every = false): Tensor {
    const { attention, layers, norm, output } = this;
    const { size } = this.model.shape;
    let x = this.embed(ids);
    layers.forEach((layer, index) => {
      const projected = linear(attention, layerNorm(x, layer.norm, EPSILON), layer.project);
      const [query, key, value] = parted(projected, [size, size, size]);
      x = add(linear(attention, attend(index, query, key, value), layer.output), x);
      const hidden = relu(linear(attention, layerNorm(x, layer.feedNorm, EPSILON), layer.expand));
      x = add(linear(attention, hidden, layer.contract), x);
    });
    return linear(attention, layerNorm(every ? x : lastRows(x), norm, EPSILON), output);
  }

  dispose(): void {
    for (const { project, output, expand, contract } of this.layers)
      for (const prepared of [project, output, expand, contract]) prepared.dispose();
    this.output.dispose();
  }

  /** √size · embedding, [B, L, size]. */
  embed(ids: readonly (readonly number[])[]): Tensor {
    const { size } = this.model.shape;
    const table = this.#weight("embedding").data;
    const length = ids[0].length;
    const data = new Float32Array(ids.length * length * size);
    const factor = Math.sqrt(size);
    ids.flat().forEach((id, row) => {
      for (let i = 0; i < size; i++) data[row * size + i] = factor * table[id * size + i];
    });
    return tensor(data, [ids.length, length, size]);
  }

  #weight(name: string): Tensor {
    const found = this.model.weights.get(name);
    if (!found) throw new Error(`the model has no ${name}`);
    return found;
  }

  #norm(name: string): Norm {
    return {
      scale: this.#weight(`${name}.scale`).data,
      bias: this.#weight(`${name}.bias`).data,
    };
  }

  /** Projections of one input, packed side by side. */
  #prepare(...names: readonly string[]): PreparedLinear {
    const joined = (part: string) =>
      sideBySide(names.map((name) => this.#weight(`${name}.${part}`)));
    return prepareLinear(this.attention, joined("weight"), {
      order: "out,in",
      bias: joined("bias").data,
    });
  }
}

/** Texts side by side, as long as each other. */
export class Texts {
  readonly #writer: Writer;
  /** One for each layer. */
  readonly #caches: readonly AttentionCache[];

  constructor(writer: Writer, sequences: number, numbers: CacheNumbers) {
    const { heads: keyValueHeads, size, layers } = writer.model.shape;
    const headSize = size / keyValueHeads;
    this.#writer = writer;
    this.#caches = Array.from({ length: layers }, () =>
      createCache(writer.attention, { keyValueHeads, headSize, sequences, numbers }),
    );
  }

  /** Pieces of the first text. */
  get length(): number {
    return this.#caches[0].length();
  }

  /** Bytes of all keys and values, and the pages that they lie in. */
  get memory(): { readonly bytes: number; readonly pages: number } {
    const all = this.#caches.map(({ memory }) => memory);
    return {
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      pages: all.reduce((sum, { pages }) => sum + pages, 0),
    };
  }

  /** Adds ids [B][L], as many to each of the first B texts. */
  append(
    ids: readonly (readonly number[])[],
    { every = false, weights = false }: { every?: boolean; weights?: boolean } = {},
  ): Read {
    const attended: Tensor[] = [];
    const { alibi } = this.#writer;
    const sequences = [...ids.keys()];
    const attend: Attend = (layer, query, key, value) => {
      const cache = this.#caches[layer];
      cache.append(key, value, { layout: "BLE", sequences });
      const mixed = cache.attend(query, { layout: "BLE", sequences, alibi, weights });
      if (mixed.weights) attended.push(mixed.weights);
      return mixed.output;
    };
    return { logits: this.#writer.read(ids, attend, every), weights: attended };
  }

  /** Text i goes on as text order[i] was; what they have in common lies in memory once. */
  reorder(order: readonly number[]): void {
    for (const cache of this.#caches) cache.reorder(order, [...order.keys()]);
  }

  dispose(): void {
    for (const cache of this.#caches) cache.dispose();
  }
}

/** [B, L, size] → [B, size] */
function lastRows({ data, dims: [batch, length, size] }: Tensor): Tensor {
  const rows = new Float32Array(batch * size);
  for (let b = 0; b < batch; b++) {
    const end = (b + 1) * length * size;
    rows.set(data.subarray(end - size, end), b * size);
  }
  return tensor(rows, [batch, size]);
}
