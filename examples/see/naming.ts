// Words for what patches show: a patch is likened to every word's embedding, x · Eᵀ.
//
// What a patch of a five has learnt to be like is then what the word "five" is, and the word finds it.

import {
  type Attention,
  linear,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
} from "wasm-attention";
import { linearBackward } from "wasm-attention/training";
import type { Parameter } from "../training/block";

export class Naming {
  readonly #attention: Attention<"training">;
  /** [words, size], which is learnt elsewhere too. */
  readonly #table: Parameter;
  readonly #prepared: PreparedLinear;
  #input: Tensor | undefined;

  constructor(attention: Attention<"training">, table: Parameter) {
    this.#attention = attention;
    this.#table = table;
    this.#prepared = prepareLinear(attention, table, { order: "out,in" });
  }

  /** [..., size] → [..., words] */
  forward(x: Tensor): Tensor {
    this.#input = x;
    return linear(this.#attention, x, this.#prepared);
  }

  backward(gradient: Tensor): Tensor {
    const { inputGradient } = linearBackward(
      this.#attention,
      gradient,
      this.#input as Tensor,
      this.#prepared,
      { out: { weight: this.#table.gradient }, accumulate: true },
    );
    return inputGradient as Tensor;
  }

  update(): void {
    this.#prepared.update(this.#table);
  }

  dispose(): void {
    this.#prepared.dispose();
  }
}
