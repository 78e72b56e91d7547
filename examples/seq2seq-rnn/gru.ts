// A gated recurrent unit (Cho et al. 2014), with the reset gate after its product as cuDNN and PyTorch have it,
// so that all three gates are one product:
//
//   r = σ(x_r + h_r)   z = σ(x_z + h_z)   n = tanh(x_n + r ∘ h_n)   h′ = (1 − z) ∘ n + z ∘ h
//
// x_· are thirds of what comes in, already multiplied; h_· those of h · U + b. Rows are [batch, size].

import type { Attention } from "wasm-attention";
import type { Parameter } from "../training/block";
import type { Random } from "../training/random";
import { Product, tanh } from "./product";

interface Step {
  readonly state: Float32Array;
  /** r, z and n. */
  readonly gates: Float32Array;
  /** h_n */
  readonly carried: Float32Array;
  /** Of each row: whether it goes on, or stays as it is. */
  readonly live: readonly boolean[];
}

export class Gru {
  readonly size: number;
  readonly parameters: readonly Parameter[];
  readonly #hidden: Product;
  #steps: Step[] = [];

  constructor(attention: Attention<"training">, size: number, random: Random) {
    this.size = size;
    this.#hidden = new Product(attention, size, 3 * size, random);
    this.parameters = this.#hidden.parameters;
  }

  /** The next state [B, size] of what comes in [B, 3 · size]; with `record` for `backward`. */
  step(
    given: Float32Array,
    state: Float32Array,
    { live, record = false }: { live: readonly boolean[]; record?: boolean },
  ): Float32Array {
    const { size } = this;
    const hidden = this.#hidden.forward(state);
    const gates = new Float32Array(given.length);
    const carried = new Float32Array(state.length);
    const next = state.slice();
    live.forEach((goesOn, b) => {
      if (!goesOn) return;
      for (let i = 0; i < size; i++) {
        const [at, third] = [b * size + i, b * 3 * size + i];
        const r = sigmoid(given[third] + hidden[third]);
        const z = sigmoid(given[third + size] + hidden[third + size]);
        carried[at] = hidden[third + 2 * size];
        const n = tanh(given[third + 2 * size] + r * carried[at]);
        next[at] = (1 - z) * n + z * state[at];
        gates[third] = r;
        gates[third + size] = z;
        gates[third + 2 * size] = n;
      }
    });
    if (record) this.#steps.push({ state, gates, carried, live });
    return next;
  }

  /** Of the last step that is left: from the gradient of its state those of what came in and of the state before. */
  backward(gradient: Float32Array): { given: Float32Array; state: Float32Array } {
    const { size } = this;
    const { state, gates, carried, live } = this.#steps.pop() as Step;
    const given = new Float32Array(gates.length);
    const hidden = new Float32Array(gates.length);
    const before = gradient.slice();
    live.forEach((goesOn, b) => {
      if (!goesOn) return;
      for (let i = 0; i < size; i++) {
        const [at, third] = [b * size + i, b * 3 * size + i];
        const [r, z, n] = [gates[third], gates[third + size], gates[third + 2 * size]];
        const ofN = gradient[at] * (1 - z) * (1 - n * n);
        const ofZ = gradient[at] * (state[at] - n) * z * (1 - z);
        const ofR = ofN * carried[at] * r * (1 - r);
        before[at] = gradient[at] * z;
        given[third] = hidden[third] = ofR;
        given[third + size] = hidden[third + size] = ofZ;
        given[third + 2 * size] = ofN;
        hidden[third + 2 * size] = ofN * r;
      }
    });
    const ofState = this.#hidden.backward(state, hidden);
    for (let i = 0; i < before.length; i++) before[i] += ofState[i];
    return { given, state: before };
  }

  /** Once all steps have gone back. */
  gather(): void {
    this.#hidden.gather();
  }

  update(): void {
    this.#hidden.update();
  }

  dispose(): void {
    this.#hidden.dispose();
  }
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
