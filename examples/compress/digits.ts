// The digits' transformer, learnt by ../digits, in another form: the same network with its matrices of few bits,
// of low rank, or without the heads that matter least.

import { type Attention, MultiHeadAttention, type Tensor, tensor } from "wasm-attention";
import { layerNorm } from "wasm-attention/blocks";
import { headImportance, pruneHeads } from "wasm-attention/compress";
import { CLASSES, type DigitTransformer, HEADS } from "../digits/model";
import { type Digits, PATCHES, patchesOf } from "../digits/patches";
import type { Product } from "../semantic-search/encoder";
import { lossOf, type Parameter } from "../training/block";
import { type Form, factoredOf, layerOf, productOf } from "./forms";

type Engine = Attention<"blocks" | "positions" | "quantized" | "training">;

/** Parameters of a block, in the order that ../training/layers has them. */
const OF_BLOCK = 16;
const BLOCKS = 2;

interface Norm {
  readonly weight: Parameter;
  readonly bias: Parameter;
}

interface SmallBlock {
  readonly norm1: Norm;
  readonly heads: MultiHeadAttention;
  readonly norm2: Norm;
  readonly expand: Product;
  readonly contract: Product;
}

/** The parameters by what they are of. */
function partsOf({ parameters }: DigitTransformer) {
  const [start, ...rest] = parameters as [Parameter, ...Parameter[]];
  const take = (count: number) => rest.splice(0, count) as Parameter[];
  const pair = ([weight, bias]: Parameter[]) => ({
    weight: weight as Parameter,
    bias: bias as Parameter,
    order: "in,out" as const,
  });
  const embed = pair(take(2));
  const blocks = Array.from({ length: BLOCKS }, () => {
    const all = take(OF_BLOCK);
    const projection = (i: number) => pair([all[2 + i], all[6 + i]] as Parameter[]);
    return {
      norm1: pair(all.slice(0, 2)),
      attention: {
        query: projection(0),
        key: projection(1),
        value: projection(2),
        output: projection(3),
      },
      norm2: pair(all.slice(10, 12)),
      linear1: pair(all.slice(12, 14)),
      linear2: pair(all.slice(14, 16)),
    };
  });
  return { start, embed, blocks, norm: pair(take(2)), head: pair(take(2)) };
}

/** Importance of each head of each block: slopes of a mask over heads, of one image after another. */
export function importances(
  attention: Engine,
  model: DigitTransformer,
  digits: Digits,
  images: number,
): Float64Array[] {
  const { blocks } = partsOf(model);
  const layers = blocks.map(
    (block) => new MultiHeadAttention(attention, { heads: HEADS }, block.attention),
  );
  const sums = blocks.map(() => new Float64Array(HEADS));
  for (let image = 0; image < images; image++) {
    for (const { gradient } of model.parameters) gradient.fill(0);
    const { logits } = model.forward(patchesOf(digits, [image]), { record: true });
    const target = Int32Array.of(digits.labels[image] as number);
    model.backward(lossOf(attention, logits, target).gradient);
    for (const [index, { attention: four }] of blocks.entries()) {
      const { weight } = four.output;
      const gradient = tensor(weight.gradient, weight.dims);
      const each = headImportance(layers[index] as MultiHeadAttention, gradient);
      for (const [head, value] of each.entries()) {
        (sums[index] as Float64Array)[head] += value / images;
      }
    }
  }
  for (const { gradient } of model.parameters) gradient.fill(0);
  for (const layer of layers) layer.dispose();
  return sums;
}

/** Its heads in rising order of importance. */
export const leastFirst = (importance: Float64Array): number[] =>
  Array.from(importance.keys()).sort(
    (a, b) => (importance[a] as number) - (importance[b] as number),
  );

export class SmallDigits {
  readonly #attention: Engine;
  readonly #start: Parameter;
  readonly #embed: Product;
  readonly #blocks: readonly SmallBlock[];
  readonly #norm: Norm;
  readonly #head: Product;

  /** `order`: each block's heads, those first that can go. */
  constructor(
    attention: Engine,
    model: DigitTransformer,
    form: Form,
    order: readonly (readonly number[])[],
  ) {
    const { start, embed, blocks, norm, head } = partsOf(model);
    this.#attention = attention;
    this.#start = start;
    this.#embed = productOf(attention, embed, form);
    this.#blocks = blocks.map((block, index) => {
      let heads = new MultiHeadAttention(attention, { heads: HEADS }, block.attention);
      if (form.pruned) {
        const whole = heads;
        heads = pruneHeads(whole, (order[index] as number[]).slice(0, form.pruned));
        whole.dispose();
      }
      return {
        norm1: block.norm1,
        heads: layerOf(heads, form),
        norm2: block.norm2,
        expand: factoredOf(attention, block.linear1, form),
        contract: factoredOf(attention, block.linear2, form),
      };
    });
    this.#norm = norm;
    this.#head = productOf(attention, head, form);
  }

  /** What each image is taken for. */
  recognise(digits: Digits, indices: readonly number[]): number[] {
    const patches = patchesOf(digits, indices);
    let x = this.#withClass(this.#embed(patches));
    const normed = (of: Tensor, { weight, bias }: Norm) =>
      layerNorm(this.#attention, of, { weight, bias }).output;
    for (const { norm1, heads, norm2, expand, contract } of this.#blocks) {
      x = sum(x, heads.forward(normed(x, norm1)).output);
      const hidden = expand(normed(x, norm2));
      x = sum(x, contract({ ...hidden, data: hidden.data.map((value) => Math.max(value, 0)) }));
    }
    const { data } = this.#head(normed(firstRows(x), this.#norm));
    return indices.map((_, row) => {
      const logits = data.subarray(row * CLASSES, (row + 1) * CLASSES);
      return logits.indexOf(Math.max(...logits));
    });
  }

  /** [images, 16, size] → [images, 17, size], the class token first, and positions. */
  #withClass({ data: embedded, dims: [images, , size] }: Tensor): Tensor {
    const start = this.#start.data;
    const data = new Float32Array(images * start.length);
    for (let image = 0; image < images; image++) {
      const to = image * start.length;
      data.set(start, to);
      const from = image * PATCHES * size - size;
      for (let i = size; i < start.length; i++) data[to + i] += embedded[from + i];
    }
    return { data, dims: [images, 1 + PATCHES, size] };
  }

  dispose(): void {
    for (const part of [this.#embed, this.#head]) part.dispose();
    for (const { heads, expand, contract } of this.#blocks) {
      for (const part of [heads, expand, contract]) part.dispose();
    }
  }
}

function sum({ data: x, dims }: Tensor, { data: y }: Tensor): Tensor {
  return { data: x.map((value, i) => value + y[i]), dims };
}

function firstRows({ data: x, dims: [images, rows, size] }: Tensor): Tensor {
  const data = new Float32Array(images * size);
  for (let image = 0; image < images; image++) {
    data.set(x.subarray(image * rows * size, (image * rows + 1) * size), image * size);
  }
  return { data, dims: [images, size] };
}
