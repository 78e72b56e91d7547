// Moonshine's decoder: six layers that look at the tokens before, by caches with rotary embeddings, and at the
// sound, whose keys and values are projected once; the table of tokens is its last product too.

import {
  type Attention,
  linear,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { type CrossOptions, layerNorm, TransformerDecoderLayer } from "wasm-attention/blocks";
import { type AttentionCache, type CacheNumbers, createCache } from "wasm-attention/cache";
import {
  EPSILON,
  HEAD_SIZE,
  HEADS,
  LAYERS,
  projection,
  ROTARY,
  SIZE,
  selfAttention,
} from "./shape";
import type { Stored, Weights } from "./weights";

type Engine = Attention<"blocks" | "cache" | "positions">;

/** How a text is written, unless as the model was trained. */
export interface Reading {
  /** How its tokens look at the sound. */
  readonly cross?: Pick<CrossOptions, "scale" | "softcap">;
  /** Of keys and values. */
  readonly numbers?: CacheNumbers;
}

export interface Step {
  /** [vocabulary] of the next token. */
  readonly logits: Float32Array;
  /** Where this step looked in the sound, of each layer [heads, frames]. */
  readonly looks: readonly Float32Array[];
}

export class Decoder {
  readonly attention: Engine;
  readonly layers: readonly TransformerDecoderLayer[];
  readonly norm: Float32Array;
  readonly output: PreparedLinear;
  readonly #table: Stored;

  constructor(attention: Engine, weights: Weights) {
    this.attention = attention;
    this.#table = weights.get("model.decoder.embed_tokens.weight");
    const table = tensor(this.#table.floats(), this.#table.dims);
    this.output = prepareLinear(attention, table, { order: "out,in" });
    this.norm = weights.get("model.decoder.norm.weight").floats();
    this.layers = Array.from({ length: LAYERS }, (_, i) => {
      const name = `model.decoder.layers.${i}`;
      const norm = (part: string) => ({ weight: weights.get(`${name}.${part}.weight`).floats() });
      const [, both] = weights.get(`${name}.mlp.up_proj.MatMul`).dims;
      return new TransformerDecoderLayer(
        attention,
        { heads: HEADS, activation: "silu", normFirst: true, eps: EPSILON },
        {
          selfAttention: selfAttention(weights, `${name}.self_attn`),
          crossAttention: selfAttention(weights, `${name}.encoder_attn`),
          linear1: projection(weights, `${name}.mlp.up_proj`, [0, both / 2]),
          gate: projection(weights, `${name}.mlp.up_proj`, [both / 2, both]),
          linear2: projection(weights, `${name}.mlp.down_proj`),
          norm1: norm("input_layernorm"),
          norm2: norm("post_attention_layernorm"),
          norm3: norm("final_layernorm"),
        },
      );
    });
  }

  /** [1, 1, 288] */
  embed(token: number): Tensor {
    return tensor(this.#table.floats(token, token + 1), [1, 1, SIZE]);
  }

  /** A text without a token, of a sound as the encoder gives it. */
  begin(encoded: Tensor, how: Reading = {}): Text {
    return new Text(this, encoded, how);
  }

  dispose(): void {
    for (const part of [...this.layers, this.output]) part.dispose();
  }
}

/** What is written of one sound. */
export class Text {
  readonly #decoder: Decoder;
  readonly #before: readonly AttentionCache[];
  readonly #sound: readonly AttentionCache[];
  readonly #cross: Reading["cross"];
  /** Until it is in the caches. */
  #encoded: Tensor | undefined;

  constructor(decoder: Decoder, encoded: Tensor, { cross, numbers = "float32" }: Reading) {
    const shape = { keyValueHeads: HEADS, headSize: HEAD_SIZE, numbers };
    const caches = (options: object) =>
      decoder.layers.map(() => createCache(decoder.attention, { ...shape, ...options }));
    this.#decoder = decoder;
    this.#before = caches({ rotary: ROTARY });
    this.#sound = caches({ cross: true });
    this.#cross = cross;
    this.#encoded = encoded;
  }

  append(token: number): Step {
    const { attention, layers, norm, output } = this.#decoder;
    const looks: Float32Array[] = [];
    let x = this.#decoder.embed(token);
    layers.forEach((layer, i) => {
      const step = layer.forward(x, this.#encoded, {
        cache: this.#before[i],
        cross: { ...this.#cross, cache: this.#sound[i], weights: true },
      });
      x = step.output;
      looks.push(step.crossWeights.data);
    });
    this.#encoded = undefined;
    const last = layerNorm(attention, x, { weight: norm, eps: EPSILON }).output;
    return { logits: linear(attention, last, output).data, looks };
  }

  dispose(): void {
    for (const cache of [...this.#before, ...this.#sound]) cache.dispose();
  }
}
