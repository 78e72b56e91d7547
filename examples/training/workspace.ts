// The memory of one step of a training.

import type { AllocatedTensor, Attention, Tensor } from "wasm-attention";

/** Tensors in linear memory: what one layer writes there the next reads, without a copy. */
export class Workspace {
  readonly #attention: Attention;
  readonly #tensors: AllocatedTensor[] = [];

  constructor(attention: Attention) {
    this.#attention = attention;
  }

  /** Not initialised. */
  make(dims: readonly number[]): Tensor {
    const made = this.#attention.allocate(dims);
    this.#tensors.push(made);
    return made;
  }

  /** Gives the memory of all of them back. */
  clear(): void {
    for (const tensor of this.#tensors.splice(0)) tensor.dispose();
  }
}
