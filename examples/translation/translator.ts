// A small transformer (Vaswani et al. 2017): one encoder and one decoder layer, normalised before
// each part, with their backward passes.

import { type Attention, type Tensor, tensor } from "wasm-attention";
import { createCache } from "wasm-attention/cache";
import { sinusoidalPositions } from "wasm-attention/positions";
import { add, crossEntropy, Embedding, LayerNorm, type Parameter } from "../training/block";
import { FeedForward, Heads, Linear } from "../training/layers";
import type { Random } from "../training/random";
import { type Beam, type Decoder, searchBeams } from "../write/generate";
import { greedy } from "../write/sampling";
import { BEGIN, END, PADDING } from "./pieces";

const SIZE = 64;
const HEADS = 4;
const HIDDEN = 128;

/** Sequences of ids, padded to the longest. */
interface Rows {
  readonly ids: Int32Array;
  readonly lengths: readonly number[];
}

export class Translator {
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"cache" | "positions" | "training">;
  readonly #embedSource: Embedding;
  readonly #encoder: Residual;
  readonly #encoderFeed: FeedForward;
  readonly #memoryNorm: LayerNorm;
  readonly #embedTarget: Embedding;
  readonly #decoder: Residual;
  readonly #cross: Residual;
  readonly #decoderFeed: FeedForward;
  readonly #outputNorm: LayerNorm;
  readonly #output: Linear;

  constructor(
    attention: Attention<"cache" | "positions" | "training">,
    sources: number,
    targets: number,
    random: Random,
  ) {
    this.#attention = attention;
    this.#embedSource = new Embedding(sources, SIZE, random);
    this.#encoder = new Residual(attention, random);
    this.#encoderFeed = new FeedForward(attention, SIZE, HIDDEN, random);
    this.#memoryNorm = new LayerNorm(SIZE, random);
    this.#embedTarget = new Embedding(targets, SIZE, random);
    this.#decoder = new Residual(attention, random);
    this.#cross = new Residual(attention, random);
    this.#decoderFeed = new FeedForward(attention, SIZE, HIDDEN, random);
    this.#outputNorm = new LayerNorm(SIZE, random);
    this.#output = new Linear(attention, SIZE, targets, random);
    this.parameters = [
      this.#embedSource,
      this.#encoder,
      this.#encoderFeed,
      this.#memoryNorm,
      this.#embedTarget,
      this.#decoder,
      this.#cross,
      this.#decoderFeed,
      this.#outputNorm,
      this.#output,
    ].flatMap(({ parameters }) => parameters);
  }

  /** The mean loss of a piece; the parameters' gradients are added to. */
  learn(sources: readonly number[][], targets: readonly number[][]): number {
    const source = pad(sources);
    const target = pad(targets.map((ids) => [BEGIN, ...ids]));
    const wanted = pad(targets.map((ids) => [...ids, END])).ids.map((id) =>
      id === PADDING ? -1 : id,
    );
    const memory = this.#encode(source, true);
    const { logits } = this.#decode(target, memory, source.lengths, { record: true });
    const { loss, gradient } = crossEntropy(this.#attention, logits, wanted);
    this.#backward(gradient);
    return loss;
  }

  /** After the parameters have moved. */
  update(): void {
    for (const part of this.#prepared()) part.update();
  }

  /** Gives the memory of the prepared weights back. */
  dispose(): void {
    for (const part of this.#prepared()) part.dispose();
  }

  /** Piece by piece, always the likeliest; at most `most` pieces. */
  translate(sources: readonly number[][], most: number): number[][] {
    const written: number[][] = sources.map(() => []);
    const done = sources.map(() => false);
    const decoder = this.begin(sources);
    let next = sources.map(() => [BEGIN]);
    for (let length = 1; length <= most && done.includes(false); length++) {
      const { data, dims } = decoder.append(next).logits;
      next = written.map((ids, b) => {
        const id = greedy(data.subarray(b * dims[1], (b + 1) * dims[1]));
        done[b] ||= id === END;
        ids.push(id);
        return [id];
      });
    }
    decoder.dispose();
    return written.map((ids) => {
      const end = ids.indexOf(END);
      return end < 0 ? ids : ids.slice(0, end);
    });
  }

  /** The likeliest of several translations that are written side by side, the best first. */
  translateBeams(source: readonly number[], beams: number, most: number): readonly Beam[] {
    const decoder = this.begin([source], beams);
    const wanted = { beams, ids: [BEGIN], length: most, end: END };
    const found = [...searchBeams(decoder, wanted)].at(-1) ?? [];
    decoder.dispose();
    return found;
  }

  /**
   * Translations of the sources, each empty yet, or several of one. Keys and values of what is written are
   * kept, and those of the sources, which are projected once.
   */
  begin(
    sources: readonly (readonly number[])[],
    texts = sources.length,
  ): Decoder & { dispose(): void } {
    const attention = this.#attention;
    const { ids, lengths } = pad(sources);
    const sizes = { keyValueHeads: HEADS, headSize: SIZE / HEADS, sequences: texts };
    const cache = createCache(attention, sizes);
    const source = createCache(attention, { ...sizes, cross: true });
    const memory = this.#encode({ ids, lengths }, false);
    const append = (ids: readonly (readonly number[])[]) => {
      const [batch, length] = [ids.length, ids[0].length];
      const positions = Array.from({ length }, (_, i) => cache.length() + i);
      const table = sinusoidalPositions(attention, { positions, size: SIZE });
      const y = this.#embedTarget.forward(Int32Array.from(ids.flat()), batch, table);
      const sequences = [...ids.keys()];
      const self = this.#decoder.forward(y, undefined, { cache, sequences });
      const across = { cache: source, sequences };
      const cross = source.length()
        ? this.#cross.forward(self.output, undefined, across)
        : this.#cross.forward(self.output, memory, { ...across, keyLengths: lengths });
      const top = this.#outputNorm.forward(this.#decoderFeed.forward(cross.output));
      return { logits: lastRows(this.#output.forward(top)) };
    };
    return {
      append,
      reorder: (order) => {
        for (const each of [cache, source]) each.reorder(order, [...order.keys()]);
      },
      dispose: () => {
        for (const each of [cache, source]) each.dispose();
      },
    };
  }

  /** How each head of the decoder looks at a source while it writes a target: [heads, target + end, source]. */
  align(source: readonly number[], target: readonly number[]): Tensor {
    const from = pad([[...source]]);
    const memory = this.#encode(from, false);
    const rows = pad([[BEGIN, ...target]]);
    const { weights } = this.#decode(rows, memory, from.lengths, { weights: true });
    return { data: (weights as Tensor).data, dims: [HEADS, target.length + 1, source.length] };
  }

  #encode({ ids, lengths }: Rows, record: boolean): Tensor {
    const x = this.#embedSource.forward(ids, lengths.length, this.#positions(ids, lengths));
    const inside = { keyLengths: lengths, queryLengths: lengths, record };
    const { output } = this.#encoder.forward(x, undefined, inside);
    return this.#memoryNorm.forward(this.#encoderFeed.forward(output));
  }

  #decode(
    { ids, lengths }: Rows,
    memory: Tensor,
    keyLengths: readonly number[],
    { record = false, weights = false }: { record?: boolean; weights?: boolean } = {},
  ) {
    const y = this.#embedTarget.forward(ids, lengths.length, this.#positions(ids, lengths));
    const inside = { causal: true, keyLengths: lengths, queryLengths: lengths, record };
    const self = this.#decoder.forward(y, undefined, inside);
    const across = { keyLengths, queryLengths: lengths, record, weights };
    const cross = this.#cross.forward(self.output, memory, across);
    const top = this.#outputNorm.forward(this.#decoderFeed.forward(cross.output));
    return { logits: this.#output.forward(top), weights: cross.weights };
  }

  #backward(gradient: Tensor): void {
    const top = this.#outputNorm.backward(this.#output.backward(gradient));
    const cross = this.#cross.backward(this.#decoderFeed.backward(top));
    this.#embedTarget.backward(this.#decoder.backward(cross.x).x);
    const memory = this.#memoryNorm.backward(cross.memory as Tensor);
    this.#embedSource.backward(this.#encoder.backward(this.#encoderFeed.backward(memory)).x);
  }

  #prepared() {
    return [
      this.#encoder,
      this.#encoderFeed,
      this.#decoder,
      this.#cross,
      this.#decoderFeed,
      this.#output,
    ];
  }

  #positions(ids: Int32Array, lengths: readonly number[]): Tensor {
    return sinusoidalPositions(this.#attention, {
      positions: ids.length / lengths.length,
      size: SIZE,
    });
  }
}

/** x + heads(norm(x)). */
class Residual {
  readonly parameters: readonly Parameter[];
  readonly #norm: LayerNorm;
  readonly #heads: Heads;

  constructor(attention: Attention<"cache" | "positions" | "training">, random: Random) {
    this.#norm = new LayerNorm(SIZE, random);
    this.#heads = new Heads(attention, SIZE, HEADS, random);
    this.parameters = [...this.#norm.parameters, ...this.#heads.parameters];
  }

  forward(x: Tensor, memory: Tensor | undefined, options: Parameters<Heads["forward"]>[2]) {
    const { output, weights } = this.#heads.forward(this.#norm.forward(x), memory, options);
    return { output: add(output, x), weights };
  }

  backward(gradient: Tensor) {
    const { x, memory } = this.#heads.backward(gradient);
    return { x: add(this.#norm.backward(x), gradient), memory };
  }

  update(): void {
    this.#heads.update();
  }

  dispose(): void {
    this.#heads.dispose();
  }
}

function pad(sequences: readonly (readonly number[])[]): Rows {
  const lengths = sequences.map(({ length }) => length);
  const longest = Math.max(...lengths);
  const ids = new Int32Array(sequences.length * longest).fill(PADDING);
  sequences.forEach((sequence, b) => {
    ids.set(sequence, b * longest);
  });
  return { ids, lengths };
}

/** [B, L, classes] → [B, classes] */
function lastRows({ data, dims: [batch, length, classes] }: Tensor): Tensor {
  const rows = new Float32Array(batch * classes);
  for (let b = 0; b < batch; b++) {
    const end = (b + 1) * length * classes;
    rows.set(data.subarray(end - classes, end), b * classes);
  }
  return tensor(rows, [batch, classes]);
}
