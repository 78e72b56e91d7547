// A question that looks at a picture: patches through an encoder, words through a decoder that attends to
// them, the answer read off the question mark.
//
// Several questions about one picture lie one after another in one row of the decoder, and do not see each
// other: the picture's keys and values are made once for all of them.

import type { Attention, Tensor } from "wasm-attention";
import { sinusoidalPositions } from "wasm-attention/positions";
import { Embedding, LayerNorm, type Parameter, parameter } from "../training/block";
import { Block, type BlockShape, DecoderBlock, Linear } from "../training/layers";
import type { Random } from "../training/random";
import { type Cut, acrossOf, patchPixels } from "./patches";
import { type Asked, gatherRows, spreadRows } from "./rows";

export interface Shape extends BlockShape {
  readonly cut: Cut;
  /** Layers that the picture goes through, and the words. */
  readonly encoder: number;
  readonly decoder: number;
  readonly words: number;
  readonly answers: number;
}

export interface Wanted {
  /** Keep what `backward` needs. */
  readonly record?: boolean;
  /** Where the words look. */
  readonly weights?: boolean;
}

export interface Answered {
  /** [questions, answers] */
  readonly logits: Tensor;
  /** Of each layer of the decoder [pictures, heads, words, patches]. */
  readonly weights: readonly Tensor[];
}

/** Longest question, in words. */
const LONGEST = 32;

export class Seeing {
  readonly shape: Shape;
  readonly parameters: readonly Parameter[];
  readonly #stem: Linear;
  readonly #embed: Linear;
  /** [across, size] each: a patch's place is a row's plus a column's. */
  readonly #rows: Parameter;
  readonly #columns: Parameter;
  readonly #encoder: readonly Block[];
  readonly #memoryNorm: LayerNorm;
  readonly #words: Embedding;
  readonly #decoder: readonly DecoderBlock[];
  readonly #norm: LayerNorm;
  readonly #answer: Linear;
  readonly #positions: Float32Array;
  #asked: Asked | undefined;
  #stemmed: Tensor | undefined;

  constructor(
    attention: Attention<"blocks" | "positions" | "training">,
    shape: Shape,
    random: Random,
  ) {
    const { size, hidden } = shape;
    this.shape = shape;
    const across = acrossOf(shape.cut);
    this.#stem = new Linear(attention, patchPixels(shape.cut), hidden, random);
    this.#embed = new Linear(attention, hidden, size, random);
    this.#rows = parameter([across, size], random, 1);
    this.#columns = parameter([across, size], random, 1);
    const layers = <T>(count: number, make: () => T) => Array.from({ length: count }, make);
    this.#encoder = layers(shape.encoder, () => new Block(attention, shape, random));
    this.#memoryNorm = new LayerNorm(attention, size, random);
    this.#words = new Embedding(attention, shape.words, size, random);
    this.#decoder = layers(shape.decoder, () => new DecoderBlock(attention, shape, random));
    this.#norm = new LayerNorm(attention, size, random);
    this.#answer = new Linear(attention, size, shape.answers, random);
    const positions = Array.from({ length: LONGEST }, (_, i) => i);
    this.#positions = sinusoidalPositions(attention, { positions, size }).data;
    this.parameters = [
      ...this.#stem.parameters,
      ...this.#embed.parameters,
      this.#rows,
      this.#columns,
      ...[...this.#encoder, this.#memoryNorm, this.#words].flatMap((part) => part.parameters),
      ...[...this.#decoder, this.#norm, this.#answer].flatMap((part) => part.parameters),
    ];
  }

  /** patches [pictures, patches, pixels], and the questions about them. */
  forward(patches: Tensor, asked: Asked, wanted: Wanted = {}): Answered {
    const { record = false, weights = false } = wanted;
    this.#asked = asked;
    const hidden = this.#stem.forward(patches);
    for (let i = 0; i < hidden.data.length; i++) hidden.data[i] = Math.max(hidden.data[i], 0);
    this.#stemmed = hidden;
    let x = this.#embed.forward(hidden);
    this.#place(x.data);
    for (const block of this.#encoder) x = block.forward(x, { record }).output;
    const memory = this.#memoryNorm.forward(x);

    const dims = [asked.places.length, this.shape.size];
    const positions = { data: this.#positionsOf(asked.places), dims };
    x = this.#words.forward(asked.ids, asked.pictures, positions);
    const seen: Tensor[] = [];
    for (const block of this.#decoder) {
      const result = block.forward(x, memory, { record, mask: asked.mask, cross: { weights } });
      x = result.output;
      if (weights) seen.push(result.crossWeights as Tensor);
    }
    const logits = this.#answer.forward(this.#norm.forward(gatherRows(x, asked.ends)));
    return { logits, weights: seen };
  }

  /** Adds to the parameters' gradients. */
  backward(gradient: Tensor): void {
    const asked = this.#asked as Asked;
    const last = this.#norm.backward(this.#answer.backward(gradient));
    let back = spreadRows(last, asked);
    let memory: Tensor | undefined;
    for (const block of this.#decoder.toReversed()) {
      const { x, memory: more } = block.backward(back);
      back = x;
      if (memory) for (let i = 0; i < more.data.length; i++) memory.data[i] += more.data[i];
      else memory = more;
    }
    this.#words.backward(back);
    back = this.#memoryNorm.backward(memory as Tensor);
    for (const block of this.#encoder.toReversed()) back = block.backward(back);
    this.#placed(back.data);
    const hidden = this.#embed.backward(back);
    const { data } = this.#stemmed as Tensor;
    for (let i = 0; i < data.length; i++) if (data[i] === 0) hidden.data[i] = 0;
    this.#stem.backward(hidden);
  }

  /** After the parameters have moved. */
  update(): void {
    for (const part of this.#learnt()) part.update();
  }

  dispose(): void {
    for (const part of this.#learnt()) part.dispose();
  }

  #learnt() {
    return [this.#stem, this.#embed, ...this.#encoder, ...this.#decoder, this.#answer];
  }

  /** Adds each patch's place. */
  #place(x: Float32Array): void {
    const { size, cut } = this.shape;
    const across = acrossOf(cut);
    const [rows, columns] = [this.#rows.data, this.#columns.data];
    for (let at = 0; at < x.length; at += size) {
      const patch = (at / size) % across ** 2;
      const [row, column] = [Math.floor(patch / across) * size, (patch % across) * size];
      for (let i = 0; i < size; i++) x[at + i] += rows[row + i] + columns[column + i];
    }
  }

  #placed(dx: Float32Array): void {
    const { size, cut } = this.shape;
    const across = acrossOf(cut);
    const [rows, columns] = [this.#rows.gradient, this.#columns.gradient];
    for (let at = 0; at < dx.length; at += size) {
      const patch = (at / size) % across ** 2;
      const [row, column] = [Math.floor(patch / across) * size, (patch % across) * size];
      for (let i = 0; i < size; i++) {
        rows[row + i] += dx[at + i];
        columns[column + i] += dx[at + i];
      }
    }
  }

  /** Of each word by its place in its own question. */
  #positionsOf(places: Int32Array): Float32Array {
    const { size } = this.shape;
    const data = new Float32Array(places.length * size);
    places.forEach((place, at) => {
      data.set(this.#positions.subarray(place * size, (place + 1) * size), at * size);
    });
    return data;
  }
}
