// A small vision transformer (Dosovitskiy et al. 2020): 16 patches → 64 numbers each and a learnt
// class token in front, with learnt positions → two pre-norm blocks → the class token, normalised,
// is what the model knows of the image → ten logits.

import type { Attention, Tensor } from "wasm-attention";
import type { EncoderForwardOptions } from "wasm-attention/blocks";
import { LayerNorm, type Parameter, parameter } from "../training/block";
import { Block, Linear } from "../training/layers";
import type { Random } from "../training/random";
import { PATCH_PIXELS, PATCHES } from "./patches";

export const CLASSES = 10;
export const HEADS = 4;
const SIZE = 64;
const HIDDEN = 128;
const LAYERS = 2;
const SHAPE = { size: SIZE, heads: HEADS, hidden: HIDDEN };
/** The class token, then the patches. */
const TOKENS = 1 + PATCHES;

/** Besides what is wanted, how the heads attend: as in `attend`. */
export interface Wanted
  extends Pick<EncoderForwardOptions, "precision" | "scale" | "softcap" | "window"> {
  /** Keep what `backward` needs. */
  readonly record?: boolean;
  /** What the class token attends to in the last block, and with "all" every token in every block. */
  readonly weights?: boolean | "all";
}

export interface Seen {
  /** [images, 10]. */
  readonly logits: Tensor;
  /** [images, 64]. */
  readonly representation: Tensor;
  /** [images, heads, 16]: the share of each patch. */
  readonly weights?: Tensor | undefined;
  /** Of each block [images, heads, 17, 17]. */
  readonly all?: readonly Tensor[];
}

export class DigitTransformer {
  readonly parameters: readonly Parameter[];
  readonly #embed: Linear;
  /** [tokens, 64]: the class token itself, and the position of each patch. */
  readonly #start: Parameter;
  readonly #blocks: readonly Block[];
  readonly #norm: LayerNorm;
  readonly #head: Linear;

  constructor(attention: Attention<"blocks" | "training">, random: Random) {
    this.#embed = new Linear(attention, PATCH_PIXELS, SIZE, random);
    // A variance of 1, as the patches have: where one lies matters as much as what is in it.
    this.#start = parameter([TOKENS, SIZE], random, Math.sqrt(3));
    this.#blocks = Array.from({ length: LAYERS }, () => new Block(attention, SHAPE, random));
    this.#norm = new LayerNorm(attention, SIZE, random);
    this.#head = new Linear(attention, SIZE, CLASSES, random);
    this.parameters = [
      this.#start,
      ...[this.#embed, ...this.#blocks, this.#norm, this.#head].flatMap((part) => part.parameters),
    ];
  }

  /** patches [images, 16, 49]. */
  forward(patches: Tensor, { record = false, weights = false, ...how }: Wanted = {}): Seen {
    let x = this.#withClass(this.#embed.forward(patches));
    const all: Tensor[] = [];
    for (const block of this.#blocks) {
      const wanted = weights === "all" || (weights && block === this.#blocks.at(-1));
      const result = block.forward(x, { ...how, record, weights: wanted });
      x = result.output;
      if (result.weights) all.push(result.weights);
    }
    const attended = all.at(-1);
    const representation = this.#norm.forward(firstRows(x));
    const logits = this.#head.forward(representation);
    return { logits, representation, weights: attended && ofClass(attended), all };
  }

  /** Adds to the parameters' gradients. */
  backward(gradient: Tensor): void {
    let back = spreadFirstRows(this.#norm.backward(this.#head.backward(gradient)));
    for (const block of this.#blocks.toReversed()) back = block.backward(back);
    this.#embed.backward(this.#withoutClass(back));
  }

  /** After the parameters have moved. */
  update(): void {
    for (const part of [this.#embed, ...this.#blocks, this.#head]) part.update();
  }

  /** [images, 16, 64] → [images, 17, 64]. */
  #withClass({ data: embedded, dims: [images] }: Tensor): Tensor {
    const start = this.#start.data;
    const data = new Float32Array(images * TOKENS * SIZE);
    for (let image = 0; image < images; image++) {
      const to = image * TOKENS * SIZE;
      const from = image * PATCHES * SIZE - SIZE;
      data.set(start, to);
      for (let i = SIZE; i < start.length; i++) data[to + i] += embedded[from + i];
    }
    return { data, dims: [images, TOKENS, SIZE] };
  }

  #withoutClass({ data: dy, dims: [images] }: Tensor): Tensor {
    const { gradient } = this.#start;
    const data = new Float32Array(images * PATCHES * SIZE);
    for (let image = 0; image < images; image++) {
      const rows = dy.subarray(image * TOKENS * SIZE, (image + 1) * TOKENS * SIZE);
      for (let i = 0; i < rows.length; i++) gradient[i] += rows[i];
      data.set(rows.subarray(SIZE), image * PATCHES * SIZE);
    }
    return { data, dims: [images, PATCHES, SIZE] };
  }
}

/** Row 0 of each image: [images, 17, 64] → [images, 64]. */
function firstRows({ data: x, dims: [images, rows, size] }: Tensor): Tensor {
  const data = new Float32Array(images * size);
  for (let image = 0; image < images; image++) {
    const from = image * rows * size;
    data.set(x.subarray(from, from + size), image * size);
  }
  return { data, dims: [images, size] };
}

/** The gradient of `firstRows`: 0 for the other rows. */
function spreadFirstRows({ data: dy, dims: [images, size] }: Tensor): Tensor {
  const data = new Float32Array(images * TOKENS * size);
  for (let image = 0; image < images; image++) {
    data.set(dy.subarray(image * size, (image + 1) * size), image * TOKENS * size);
  }
  return { data, dims: [images, TOKENS, size] };
}

/** [images, heads, 17, 17] → [images, heads, 16]: the class token's row, without itself. */
function ofClass({ data: weights, dims: [images, heads] }: Tensor): Tensor {
  const data = new Float32Array(images * heads * PATCHES);
  for (let row = 0; row < images * heads; row++) {
    const from = row * TOKENS * TOKENS;
    data.set(weights.subarray(from + 1, from + TOKENS), row * PATCHES);
  }
  return { data, dims: [images, heads, PATCHES] };
}
