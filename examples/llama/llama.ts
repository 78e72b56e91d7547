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
import { type AttentionCache, type CacheNumbers, createCache } from "wasm-attention/cache";
import { add } from "../semantic-search/blocks";
import { type Checkpoint, type LlamaConfig, weightOf } from "./checkpoint";

const MATRICES = [
  "attn_q",
  "attn_k",
  "attn_v",
  "attn_output",
  "ffn_gate",
  "ffn_up",
  "ffn_down",
] as const;

type Matrices = Readonly<Record<(typeof MATRICES)[number], PreparedLinear>>;

interface Layer extends Matrices {
  readonly attn_norm: Float32Array;
  readonly ffn_norm: Float32Array;
}

/** What the heads of a layer make of query, key and value [1, L, …], none of them turned yet. */
export type Attend = (layer: number, query: Tensor, key: Tensor, value: Tensor) => Tensor;

export class Llama {
  readonly config: LlamaConfig;
  readonly attention: Attention<"positions" | "cache">;
  readonly layers: readonly Layer[];
  readonly embedding: Tensor;
  readonly norm: Float32Array;
  readonly output: PreparedLinear;

  constructor(attention: Attention<"positions" | "cache">, checkpoint: Checkpoint) {
    const prepare = (name: string) =>
      prepareLinear(attention, weightOf(checkpoint, `${name}.weight`), { order: "out,in" });
    this.attention = attention;
    this.config = checkpoint.config;
    this.layers = Array.from({ length: this.config.layers }, (_, i) => {
      const matrices = MATRICES.map((name) => [name, prepare(`blk.${i}.${name}`)]);
      return {
        ...(Object.fromEntries(matrices) as Matrices),
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
    const { size, epsilon } = config;
    const data = new Float32Array(ids.length * size);
    ids.forEach((id, row) => {
      data.set(embedding.data.subarray(id * size, (id + 1) * size), row * size);
    });
    let x = tensor(data, [1, ids.length, size]);
    layers.forEach((layer, index) => {
      const normed = rmsNorm(x, layer.attn_norm, epsilon);
      const [query, key, value] = [layer.attn_q, layer.attn_k, layer.attn_v].map((matrix) =>
        linear(attention, normed, matrix),
      );
      x = add(linear(attention, attend(index, query, key, value), layer.attn_output), x);
      const inner = rmsNorm(x, layer.ffn_norm, epsilon);
      const gate = linear(attention, inner, layer.ffn_gate);
      const hidden = gated(gate, linear(attention, inner, layer.ffn_up));
      x = add(linear(attention, hidden, layer.ffn_down), x);
    });
    const { data: logits } = linear(attention, rmsNorm(x, norm, epsilon), output);
    return tensor(logits, [ids.length, config.vocabulary]);
  }

  dispose(): void {
    for (const layer of this.layers) for (const name of MATRICES) layer[name].dispose();
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

/** silu(gate) · up, silu(x) = x / (1 + e^−x), in `up`. */
function gated(gate: Tensor, up: Tensor): Tensor {
  const [g, u] = [gate.data, up.data];
  for (let i = 0; i < u.length; i++) u[i] *= g[i] / (1 + Math.exp(-g[i]));
  return up;
}
