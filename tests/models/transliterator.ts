// An encoder-decoder of 6 + 6 pre-norm layers (Vaswani et al. 2017) as CTranslate2 keeps it:
// self-attention with query, key and value in one matrix, cross-attention with key and value in one.

import { readFileSync } from "node:fs";
import {
  linear,
  MultiHeadAttention,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { type AttentionCache, createCache } from "wasm-attention/cache";
import { fromPyTorch } from "wasm-attention/weights";
import { add, layerNorm, relu } from "../../examples/semantic-search/blocks";
import { type Decoder, searchBeams } from "../../examples/write/generate";
import type { Whole } from "../engines";
import { readModel } from "./ctranslate2";
import { modelFile } from "./folder";

const SIZE = 32;
const HEADS = 8;
const LAYERS = 6;
const EPSILON = 1e-5;
const START = "<s>";
const END = "</s>";

export interface Memory {
  readonly states: Tensor;
  readonly keyLengths: number[];
}

/** Of each layer, what is written and what it is written from, and which sequence of them each row is. */
interface Kept {
  readonly caches: readonly AttentionCache[];
  readonly sources: readonly AttentionCache[];
  readonly sequences: readonly number[];
}

/** More pieces than a word has. */
const LONGEST = 40;

export class Transliterator {
  readonly #attention: Whole;
  readonly #weights: Map<string, Tensor>;
  readonly #source: string[];
  readonly #target: string[];
  readonly #selfAttention = new Map<string, MultiHeadAttention>();
  readonly #crossAttention: MultiHeadAttention[];
  readonly #linear = new Map<string, PreparedLinear>();

  constructor(attention: Whole) {
    this.#attention = attention;
    this.#weights = readModel(modelFile("transliteration/model.bin"));
    const vocabulary = (side: string) =>
      readFileSync(modelFile(`transliteration/${side}_vocabulary.txt`), "utf8")
        .trim()
        .split("\n");
    this.#source = vocabulary("source");
    this.#target = vocabulary("target");
    for (const side of ["encoder", "decoder"]) {
      for (let i = 0; i < LAYERS; i++) this.#prepareLayer(`${side}/layer_${i}`);
    }
    this.#crossAttention = Array.from({ length: LAYERS }, (_, i) => this.#crossOf(i));
    this.#prepare("decoder/projection");
  }

  /** Source words → encoder states [words, characters, 32], padded. */
  encode(words: readonly string[]): Memory {
    const ids = words.map((word) => [...word].map((c) => this.#source.indexOf(c)));
    const keyLengths = ids.map((word) => word.length);
    let x = this.#embed("encoder", ids, Math.max(...keyLengths));
    for (let i = 0; i < LAYERS; i++) {
      const name = `encoder/layer_${i}`;
      const normed = this.#norm(`${name}/self_attention`, x);
      const mixed = this.#self(name).forward(
        { query: normed, key: normed, value: normed },
        { keyLengths },
      );
      x = this.#feedForward(name, add(mixed.output, x));
    }
    return { states: this.#norm("encoder", x), keyLengths };
  }

  /**
   * Logits [words, pieces, vocabulary] of what follows each prefix of `targets`, and the weights
   * of each cross-attention [words, heads, pieces, characters].
   */
  decode(memory: Memory, targets: readonly number[][]) {
    return this.#decode(memory, this.#embed("decoder", targets, targets[0].length));
  }

  #decode({ states, keyLengths }: Memory, embedded: Tensor, kept?: Kept) {
    let x = embedded;
    const weights: Tensor[] = [];
    for (let i = 0; i < LAYERS; i++) {
      const name = `decoder/layer_${i}`;
      const normed = this.#norm(`${name}/self_attention`, x);
      x = add(
        this.#self(name).forward(
          { query: normed, key: normed, value: normed },
          kept ? { cache: kept.caches[i], sequences: kept.sequences } : { causal: true },
        ).output,
        x,
      );
      const asked = this.#norm(`${name}/attention`, x);
      const source = kept?.sources[i];
      const across = kept && { cache: source, sequences: kept.sequences };
      const seen = source?.length()
        ? this.#crossAttention[i].forward(asked, { ...across, weights: true })
        : this.#crossAttention[i].forward(
            { query: asked, key: states, value: states },
            { ...across, keyLengths, weights: true },
          );
      if (seen.weights) weights.push(seen.weights);
      x = this.#feedForward(name, add(seen.output, x));
    }
    return { logits: this.#project("decoder/projection", this.#norm("decoder", x)), weights };
  }

  /** The id that ends a text. */
  get end(): number {
    return this.#target.indexOf(END);
  }

  /** The likeliest piece at each step, until the end. */
  greedy(word: string): { text: string; ids: number[] } {
    const [best] = this.beams(word, 1);
    return best;
  }

  /** The likeliest of `beams` texts that are written side by side, the best first. */
  beams(word: string, beams: number): { text: string; ids: number[] }[] {
    const start = this.#target.indexOf(START);
    const decoder = this.#begin(this.encode([word]), beams);
    const { end } = this;
    const found = [...searchBeams(decoder, { beams, ids: [start], length: LONGEST, end })].at(-1);
    decoder.dispose();
    return (found ?? []).map(({ ids }) => ({
      text: ids.map((id) => this.#target[id]).join(""),
      ids: [start, ...ids],
    }));
  }

  /**
   * `texts` of one source, as `decode`, a piece after the other: in each layer keys and values of those
   * before are kept, and of the source, which are projected once.
   */
  #begin(memory: Memory, texts: number): Decoder & { dispose(): void } {
    const make = (cross: boolean) =>
      Array.from({ length: LAYERS }, () =>
        createCache(this.#attention, {
          keyValueHeads: HEADS,
          headSize: SIZE / HEADS,
          sequences: texts,
          cross,
        }),
      );
    const [caches, sources] = [make(false), make(true)];
    const all = [...caches, ...sources];
    const append = (ids: readonly (readonly number[])[]) => {
      const sequences = [...ids.keys()];
      const before = caches[0].length();
      const logits = this.#decode(memory, this.#embed("decoder", ids, ids[0].length, before), {
        caches,
        sources,
        sequences,
      }).logits;
      const last = Float32Array.from(sequences.flatMap((b) => [...lastRow(logits, b)]));
      return { logits: tensor(last, [ids.length, logits.dims[2]]) };
    };
    return {
      append,
      reorder: (order) => {
        for (const cache of all) cache.reorder(order, [...order.keys()]);
      },
      dispose: () => {
        for (const cache of all) cache.dispose();
      },
    };
  }

  #at(name: string): Tensor {
    const found = this.#weights.get(name);
    if (!found) throw new Error(`no ${name} in model.bin`);
    return found;
  }

  #prepare(name: string): void {
    const prepared = prepareLinear(this.#attention, this.#at(`${name}/weight`), {
      order: "out,in",
      bias: this.#at(`${name}/bias`),
    });
    this.#linear.set(name, prepared);
  }

  #prepareLayer(name: string): void {
    this.#prepare(`${name}/ffn/linear_0`);
    this.#prepare(`${name}/ffn/linear_1`);
    const own = `${name}/self_attention`;
    const layer = fromPyTorch(
      this.#attention,
      {
        in_proj_weight: this.#at(`${own}/linear_0/weight`),
        in_proj_bias: this.#at(`${own}/linear_0/bias`),
        "out_proj.weight": this.#at(`${own}/linear_1/weight`),
        "out_proj.bias": this.#at(`${own}/linear_1/bias`),
      },
      { heads: HEADS },
    );
    this.#selfAttention.set(name, layer);
  }

  #crossOf(index: number): MultiHeadAttention {
    const name = `decoder/layer_${index}/attention`;
    const [weight, bias] = [
      this.#at(`${name}/linear_1/weight`).data,
      this.#at(`${name}/linear_1/bias`).data,
    ];
    const half = (i: number) => ({
      weight: tensor(weight.slice(i * SIZE * SIZE, (i + 1) * SIZE * SIZE), [SIZE, SIZE]),
      order: "out,in" as const,
      bias: bias.slice(i * SIZE, (i + 1) * SIZE),
    });
    const whole = (i: number) => ({
      weight: this.#at(`${name}/linear_${i}/weight`),
      order: "out,in" as const,
      bias: this.#at(`${name}/linear_${i}/bias`),
    });
    return new MultiHeadAttention(
      this.#attention,
      { heads: HEADS },
      { query: whole(0), key: half(0), value: half(1), output: whole(2) },
    );
  }

  #self(name: string): MultiHeadAttention {
    return this.#selfAttention.get(name) as MultiHeadAttention;
  }

  #project(name: string, x: Tensor): Tensor {
    return linear(this.#attention, x, this.#linear.get(name) as PreparedLinear);
  }

  #norm(name: string, x: Tensor): Tensor {
    const [gamma, beta] = ["gamma", "beta"].map(
      (part) => this.#at(`${name}/layer_norm/${part}`).data,
    );
    return layerNorm(x, { scale: gamma, bias: beta }, EPSILON);
  }

  #feedForward(name: string, x: Tensor): Tensor {
    const hidden = relu(this.#project(`${name}/ffn/linear_0`, this.#norm(`${name}/ffn`, x)));
    return add(this.#project(`${name}/ffn/linear_1`, hidden), x);
  }

  /** √d · embedding, plus sines and cosines of positions that start at 1. */
  #embed(side: string, batch: readonly (readonly number[])[], rows: number, before = 0): Tensor {
    const table = this.#at(`${side}/embeddings/weight`).data;
    const data = new Float32Array(batch.length * rows * SIZE);
    const half = SIZE / 2;
    batch.forEach((ids, b) => {
      ids.forEach((id, i) => {
        const row = (b * rows + i) * SIZE;
        for (let k = 0; k < SIZE; k++) {
          const angle = (before + i + 1) * 10000 ** (-(k % half) / (half - 1));
          const wave = k < half ? Math.sin(angle) : Math.cos(angle);
          data[row + k] = Math.sqrt(SIZE) * table[id * SIZE + k] + wave;
        }
      });
    });
    return tensor(data, [batch.length, rows, SIZE]);
  }
}

/** Of the pieces of text b. */
function lastRow({ data, dims: [, rows, pieces] }: Tensor, b: number): Float32Array {
  const end = (b + 1) * rows * pieces;
  return data.subarray(end - pieces, end);
}
