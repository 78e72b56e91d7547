// A Llama (Touvron et al. 2023): x + heads(norm(x)), x + down(silu(gate(norm(x))) · up(norm(x))); keys and
// queries turn by their positions, keys and values of all tokens are kept in a cache for each layer.

import {
  type Attention,
  linear,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { fusedLinear } from "wasm-attention/blocks";
import { type AttentionCache, type CacheNumbers, createCache } from "wasm-attention/cache";
import { parted, sideBySide } from "../semantic-search/columns";
import { type Checkpoint, type LlamaConfig, weightOf } from "./checkpoint";

/** The matrices of a layer; what has one input is one product. */
const MATRICES = {
  project: ["attn_q", "attn_k", "attn_v"],
  attended: ["attn_output"],
  gate: ["ffn_gate"],
  up: ["ffn_up"],
  down: ["ffn_down"],
} as const;

type Name = keyof typeof MATRICES;

interface Layer extends Readonly<Record<Name, PreparedLinear>> {
  readonly attn_norm: Float32Array;
  readonly ffn_norm: Float32Array;
}

/** What the heads of a layer make of query, key and value [1, L, …], none of them turned yet. */
export type Attend = (layer: number, query: Tensor, key: Tensor, value: Tensor) => Tensor;

export class Llama {
  readonly config: LlamaConfig;
  readonly attention: Attention<"positions" | "cache" | "blocks">;
  readonly layers: readonly Layer[];
  readonly embedding: Tensor;
  readonly norm: Float32Array;
  readonly output: PreparedLinear;

  constructor(attention: Attention<"positions" | "cache" | "blocks">, checkpoint: Checkpoint) {
    const prepare = (...names: readonly string[]) => {
      const weights = names.map((name) => weightOf(checkpoint, `${name}.weight`));
      return prepareLinear(attention, sideBySide(weights), { order: "out,in" });
    };
    this.attention = attention;
    this.config = checkpoint.config;
    this.layers = Array.from({ length: this.config.layers }, (_, i) => {
      const matrices = Object.entries(MATRICES).map(([name, parts]) => [
        name,
        prepare(...parts.map((part) => `blk.${i}.${part}`)),
      ]);
      return {
        ...(Object.fromEntries(matrices) as Record<Name, PreparedLinear>),
        attn_norm: weightOf(checkpoint, `blk.${i}.attn_norm.weight`).data,
        ffn_norm: weightOf(checkpoint, `blk.${i}.ffn_norm.weight`).data,
      };
    });
    this.embedding = weightOf(checkpoint, "token_embd.weight");
    this.norm = weightOf(checkpoint, "output_norm.weight").data;
    this.output = prepare(checkpoint.weights.has("output.weight") ? "output" : "token_embd");
  }

  /** A text without a token; `numbers` is how its keys and values are kept. */
  begin(numbers: CacheNumbers = "float32"): LlamaText {
    return new LlamaText(this, numbers);
  }

  /** Logits [L, vocabulary] of what follows each of these tokens. */
  read(ids: readonly number[], attend: Attend): Tensor {
    const { attention, config, layers, embedding, norm, output } = this;
    const { size, epsilon, heads, keyValueHeads } = config;
    const columns = [size, ...Array(2).fill((size / heads) * keyValueHeads)];
    const data = new Float32Array(ids.length * size);
    ids.forEach((id, row) => {
      data.set(embedding.data.subarray(id * size, (id + 1) * size), row * size);
    });
    let x = tensor(data, [1, ids.length, size]);
    layers.forEach((layer, index) => {
      const normed = rmsNorm(x, layer.attn_norm, epsilon);
      const [query, key, value] = parted(linear(attention, normed, layer.project), columns);
      x = fusedLinear(attention, attend(index, query, key, value), layer.attended, { residual: x });
      const inner = rmsNorm(x, layer.ffn_norm, epsilon);
      const gated = { gate: layer.gate, activation: "silu" } as const;
      const hidden = fusedLinear(attention, inner, layer.up, gated);
      x = fusedLinear(attention, hidden, layer.down, { residual: x });
    });
    const { data: logits } = linear(attention, rmsNorm(x, norm, epsilon), output);
    return tensor(logits, [ids.length, config.vocabulary]);
  }

  dispose(): void {
    for (const { project, attended, gate, up, down } of this.layers)
      for (const prepared of [project, attended, gate, up, down]) prepared.dispose();
    this.output.dispose();
  }
}

/** A text as the model has read it. */
export class LlamaText {
  readonly #model: Llama;
  /** One for each layer; it turns keys and queries by their positions. */
  readonly #caches: readonly AttentionCache[];

  constructor(model: Llama, numbers: CacheNumbers) {
    const { heads, keyValueHeads, size, layers, pairing, ropeBase: base } = model.config;
    this.#model = model;
    this.#caches = Array.from({ length: layers }, () =>
      createCache(model.attention, {
        keyValueHeads,
        headSize: size / heads,
        rotary: { pairing, base },
        numbers,
      }),
    );
  }

  /** Logits [L, vocabulary] of what follows each of these tokens. */
  append(ids: readonly number[]): Tensor {
    return this.#model.read(ids, (layer, query, key, value) => {
      const cache = this.#caches[layer];
      cache.append(key, value, { layout: "BLE" });
      return cache.attend(query, { layout: "BLE" }).output;
    });
  }

  /** Bytes of all keys and values. */
  get bytes(): number {
    return this.#caches.reduce((sum, { memory }) => sum + memory.bytes, 0);
  }

  dispose(): void {
    for (const cache of this.#caches) cache.dispose();
  }
}

/** x / √(mean(x²) + epsilon) · scale over the last axis (Zhang, Sennrich 2019). */
function rmsNorm({ data: x, dims }: Tensor, scale: Float32Array, epsilon: number): Tensor {
  const size = scale.length;
  const data = new Float32Array(x.length);
  for (let row = 0; row < x.length; row += size) {
    let squares = 0;
    for (let i = 0; i < size; i++) squares += x[row + i] * x[row + i];
    const factor = 1 / Math.sqrt(squares / size + epsilon);
    for (let i = 0; i < size; i++) data[row + i] = x[row + i] * factor * scale[i];
  }
  return tensor(data, dims);
}
