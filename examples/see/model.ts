// A question that looks at a picture: patches through an encoder, words through a decoder that attends to
// them, the answer read off their mean.
//
// Several questions about one picture lie one after another in one row of the decoder, and do not see each
// other: the picture's keys and values are made once for all of them.

import type { Attention, Mask, Tensor } from "wasm-attention";
import { sinusoidalPositions } from "wasm-attention/positions";
import { Embedding, LayerNorm, type Parameter, parameter } from "../training/block";
import { Block, type BlockShape, DecoderBlock, Linear } from "../training/layers";
import type { Random } from "../training/random";
import { Convolution } from "./convolution";
import { Naming } from "./naming";
import { type Asked, meanRows, spreadRows } from "./rows";
import { LONGEST } from "./words";

export interface Shape extends BlockShape {
  /** Pixels along a side of a picture, and numbers of each. */
  readonly side: number;
  readonly channels: number;
  /** Of the convolutions but the last; each halves the sides. */
  readonly convolutions: readonly number[];
  /** Layers that the picture goes through, and the words. */
  readonly encoder: number;
  readonly decoder: number;
  readonly words: number;
  readonly answers: number;
  /** So many patches away, along rows and columns, a patch still looks. */
  readonly reach: number;
}

export interface Wanted {
  /** Keep what `backward` needs. */
  readonly record?: boolean;
  /** Where the words look. */
  readonly weights?: boolean;
  /** Which word each patch is like. */
  readonly names?: boolean;
}

export interface Answered {
  /** [questions, answers] */
  readonly logits: Tensor;
  /** Of each layer of the decoder [pictures, heads, words, patches]. */
  readonly weights: readonly Tensor[];
  /** [pictures, patches, words] */
  readonly names?: Tensor | undefined;
}

/** Where the projections of the cross-attention begin among a block's parameters. */
const CROSS = 12;
/** Of what they are multiplied by: a likeness shows in the weights from the start. */
const SHARP = 1.5;

export class Seeing {
  readonly shape: Shape;
  readonly parameters: readonly Parameter[];
  readonly #stem: readonly Convolution[];
  /** [across, size] each: a patch's place is a row's plus a column's. */
  readonly #rows: Parameter;
  readonly #columns: Parameter;
  readonly #encoder: readonly Block[];
  readonly #memoryNorm: LayerNorm;
  readonly #words: Embedding;
  readonly #naming: Naming;
  readonly #decoder: readonly DecoderBlock[];
  readonly #norm: LayerNorm;
  readonly #answer: Linear;
  readonly #positions: Float32Array;
  readonly #near: Mask;
  #asked: Asked | undefined;

  constructor(
    attention: Attention<"blocks" | "positions" | "training">,
    shape: Shape,
    random: Random,
  ) {
    const { size, channels, convolutions } = shape;
    this.shape = shape;
    const across = acrossOf(shape);
    const sizes = [channels, ...convolutions, size];
    this.#stem = sizes
      .slice(1)
      .map((outputs, i) => new Convolution(attention, sizes[i], outputs, random));
    this.#rows = parameter([across, size], random, 1);
    this.#columns = parameter([across, size], random, 1);
    const layers = <T>(count: number, make: () => T) => Array.from({ length: count }, make);
    this.#encoder = layers(shape.encoder, () => new Block(attention, shape, random));
    this.#memoryNorm = new LayerNorm(attention, size, random);
    this.#words = new Embedding(attention, shape.words, size, random);
    this.#naming = new Naming(attention, this.#words.table);
    this.#decoder = layers(shape.decoder, () => new DecoderBlock(attention, shape, random));
    for (const block of this.#decoder) alike(block);
    this.#norm = new LayerNorm(attention, size, random);
    this.#answer = new Linear(attention, size, shape.answers, random);
    this.#near = near(shape);
    const positions = Array.from({ length: LONGEST }, (_, i) => i);
    this.#positions = sinusoidalPositions(attention, { positions, size }).data;
    this.parameters = [
      ...this.#stem.flatMap((part) => part.parameters),
      this.#rows,
      this.#columns,
      ...[...this.#encoder, this.#memoryNorm, this.#words].flatMap((part) => part.parameters),
      ...[...this.#decoder, this.#norm, this.#answer].flatMap((part) => part.parameters),
    ];
  }

  /** pictures [pictures, side, side, channels], and the questions about them. */
  forward(pictures: Tensor, asked: Asked, wanted: Wanted = {}): Answered {
    const { record = false, weights = false, names = false } = wanted;
    this.#asked = asked;
    const seen = this.#see(pictures, record);
    const named = names ? this.#naming.forward(seen) : undefined;
    // Once more, so that words that look for a place, or are asked for one, see it (Carion et al. 2020).
    const memory = this.#placed(seen);

    const dims = [asked.places.length, this.shape.size];
    const positions = { data: this.#positionsOf(asked.places), dims };
    let x = this.#words.forward(asked.ids, asked.pictures, positions);
    const looks: Tensor[] = [];
    for (const block of this.#decoder) {
      const result = block.forward(x, memory, { record, mask: asked.mask, cross: { weights } });
      x = result.output;
      if (weights) looks.push(result.crossWeights as Tensor);
    }
    const logits = this.#answer.forward(this.#norm.forward(meanRows(x, asked)));
    return { logits, weights: looks, names: named };
  }

  /** Adds to the parameters' gradients: of the logits, and of the names where they were asked for. */
  backward(gradient: Tensor, names?: Tensor): void {
    const asked = this.#asked as Asked;
    const last = this.#norm.backward(this.#answer.backward(gradient));
    let back = spreadRows(last, asked);
    const memories: Tensor[] = [];
    for (const block of this.#decoder.toReversed()) {
      const { x, memory } = block.backward(back);
      back = x;
      memories.push(memory);
    }
    this.#words.backward(back);
    const memory = sumOf(memories);
    this.#gatherPlaces(memory.data);
    this.#learnToSee(names ? sumOf([memory, this.#naming.backward(names)]) : memory);
  }

  /** Which word each patch is like, without a question [pictures, patches, words]. */
  name(pictures: Tensor): Tensor {
    return this.#naming.forward(this.#see(pictures, true));
  }

  /** The gradient of `name`. */
  nameBackward(names: Tensor): void {
    this.#learnToSee(this.#naming.backward(names));
  }

  #see(pictures: Tensor, record: boolean): Tensor {
    let x = pictures;
    for (const part of this.#stem) x = part.forward(x);
    x = this.#placed(x);
    for (const block of this.#encoder) x = block.forward(x, { record, mask: this.#near }).output;
    return this.#memoryNorm.forward(x);
  }

  #learnToSee(memory: Tensor): void {
    let back = this.#memoryNorm.backward(memory);
    for (const block of this.#encoder.toReversed()) back = block.backward(back);
    this.#gatherPlaces(back.data);
    for (const part of this.#stem.toReversed()) {
      const windows = part.backward(back);
      // Nothing is learnt from the gradient of the picture itself.
      if (part !== this.#stem[0]) back = part.inputGradient(windows);
    }
  }

  /** After the parameters have moved. */
  update(): void {
    for (const part of this.#learnt()) part.update();
  }

  dispose(): void {
    for (const part of this.#learnt()) part.dispose();
  }

  #learnt() {
    return [this.#naming, ...this.#stem, ...this.#encoder, ...this.#decoder, this.#answer];
  }

  /** Of each picture's patches, in two axes or one → [pictures, patches, size], each with its place. */
  #placed({ data: x, dims: [pictures] }: Tensor): Tensor {
    const { size } = this.shape;
    const across = acrossOf(this.shape);
    const [rows, columns] = [this.#rows.data, this.#columns.data];
    const data = new Float32Array(x.length);
    for (let patch = 0, at = 0; at < x.length; patch++) {
      const row = (Math.floor(patch / across) % across) * size;
      const column = (patch % across) * size;
      for (let i = 0; i < size; i++, at++) data[at] = x[at] + rows[row + i] + columns[column + i];
    }
    return { data, dims: [pictures, across * across, size] };
  }

  #gatherPlaces(dx: Float32Array): void {
    const { size } = this.shape;
    const across = acrossOf(this.shape);
    const [rows, columns] = [this.#rows.gradient, this.#columns.gradient];
    for (let patch = 0, at = 0; at < dx.length; patch++) {
      const row = (Math.floor(patch / across) % across) * size;
      const column = (patch % across) * size;
      for (let i = 0; i < size; i++, at++) {
        rows[row + i] += dx[at];
        columns[column + i] += dx[at];
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

/** Words look for patches that are like them, to begin with: queries and keys are projected alike. */
function alike(block: DecoderBlock): void {
  const [query, key] = block.parameters.slice(CROSS);
  for (let i = 0; i < key.data.length; i++) key.data[i] = query.data[i] *= SHARP;
  block.update();
}

function sumOf([first, ...others]: readonly Tensor[]): Tensor {
  for (const { data } of others) for (let i = 0; i < data.length; i++) first.data[i] += data[i];
  return first;
}

/** [patches, patches]: 1 where a patch lies within reach of another. */
function near(shape: Shape): Mask {
  const { reach } = shape;
  const across = acrossOf(shape);
  const data = new Uint8Array(across ** 4);
  for (let i = 0; i < across ** 2; i++) {
    for (let j = 0; j < across ** 2; j++) {
      const rows = Math.abs(Math.floor(i / across) - Math.floor(j / across));
      const columns = Math.abs((i % across) - (j % across));
      data[i * across ** 2 + j] = Number(rows <= reach && columns <= reach);
    }
  }
  return { data, dims: [across ** 2, across ** 2] };
}

/** Patches along a side. */
export const acrossOf = ({ side, convolutions }: Shape) => side >> (convolutions.length + 1);
