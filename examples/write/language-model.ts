// The model as it is trained: √size · embedding → pre-norm blocks → norm → logits of the next piece.
//
// Where a piece stands is told by ALiBi alone (Press et al. 2021): a score falls with the distance of its
// key, so that nothing depends on how long a text has become.

import type { Attention } from "wasm-attention";
import { alibiSlopes } from "wasm-attention/positions";
import { Embedding, LayerNorm, lossOf, type Parameter } from "../training/block";
import { Block, type BlockShape, Linear } from "../training/layers";
import type { Random } from "../training/random";

export interface Shape extends BlockShape {
  readonly layers: number;
  readonly vocabulary: number;
}

export class LanguageModel {
  /** Embedding; blocks; norm; output. */
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"blocks" | "positions" | "training">;
  readonly #alibi: { slopes: Float32Array };
  readonly #embedding: Embedding;
  readonly #blocks: readonly Block[];
  readonly #norm: LayerNorm;
  readonly #output: Linear;

  constructor(
    attention: Attention<"blocks" | "positions" | "training">,
    shape: Shape,
    random: Random,
  ) {
    const { size, heads, layers, vocabulary } = shape;
    this.#attention = attention;
    this.#alibi = { slopes: alibiSlopes(heads) };
    this.#embedding = new Embedding(attention, vocabulary, size, random);
    this.#blocks = Array.from({ length: layers }, () => new Block(attention, shape, random));
    this.#norm = new LayerNorm(attention, size, random);
    this.#output = new Linear(attention, size, vocabulary, random);
    const parts = [this.#embedding, ...this.#blocks, this.#norm, this.#output];
    this.parameters = parts.flatMap(({ parameters }) => parameters);
  }

  /** The mean loss of a batch [batch · length] of ids; the parameters' gradients are added to. */
  learn(ids: Int32Array, targets: Int32Array, batch: number): number {
    const { loss, gradient } = this.loss(ids, targets, batch);
    let back = this.#norm.backward(this.#output.backward(gradient));
    for (const block of this.#blocks.toReversed()) back = block.backward(back);
    this.#embedding.backward(back);
    return loss;
  }

  loss(ids: Int32Array, targets: Int32Array, batch: number) {
    let x = this.#embedding.forward(ids, batch);
    for (const block of this.#blocks) {
      x = block.forward(x, { causal: true, alibi: this.#alibi, record: true }).output;
    }
    const logits = this.#output.forward(this.#norm.forward(x));
    return { logits, ...lossOf(this.#attention, logits, targets) };
  }

  /** After the parameters have moved. */
  update(): void {
    for (const part of [...this.#blocks, this.#output]) part.update();
  }

  dispose(): void {
    for (const part of [...this.#blocks, this.#output]) part.dispose();
  }
}
