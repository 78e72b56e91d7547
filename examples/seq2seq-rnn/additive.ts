// Additive attention (Bahdanau, Cho, Bengio 2015, section 3.1 and appendix A.1.2) of one query a step:
//
//   e_j = vᵀ tanh(W s + U h_j)    α = softmax(e)    c = Σ α_j h_j
//
// s [B, state], memory h [B, S, size]. U h is a product once for all steps, W s one of each step; the rest is
// `additiveAttention` of wasm-attention/variants. A memory's rows past its length have no weight.

import { type Attention, type Tensor, tensor } from "wasm-attention";
import { additiveAttention, additiveAttentionBackward } from "wasm-attention/variants";
import { gather } from "../training/block";
import type { Random } from "../training/random";
import {
  type Attending,
  LearntLooks,
  type Memory,
  type Scoring,
  type Sizes,
  Stepping,
  scoring,
} from "./attending";

export class AdditiveAttention extends LearntLooks<Scoring> {
  constructor(attention: Attention<"training" | "variants">, sizes: Sizes, random: Random) {
    super(attention, scoring(attention, sizes, random));
  }

  begin(memory: Memory): Attending {
    return new Added(this.attention, this.parts, memory);
  }
}

interface Step {
  readonly state: Float32Array;
  /** W s [B, 1, hidden] */
  readonly query: Tensor;
}

class Added extends Stepping<Scoring, Step> {
  readonly #options;

  constructor(attention: Attention<"variants">, parts: Scoring, memory: Memory) {
    super(attention, parts, memory);
    const { lengths } = memory;
    this.#options = { layout: "BLE", heads: 1, keyLengths: lengths, scoreWeight: parts.v } as const;
  }

  step(state: Float32Array, record = false): { context: Float32Array; weights: Float32Array } {
    const query = this.#perBatch(this.parts.query.forward(state));
    const options = { ...this.#options, weights: true } as const;
    const { output, weights } = additiveAttention(
      this.attention,
      query,
      this.keys,
      this.rows,
      options,
    );
    if (record) this.steps.push({ state, query });
    return { context: output.data, weights: weights.data };
  }

  backward(gradient: Float32Array): Float32Array {
    const { state, query } = this.steps.pop() as Step;
    const outputGradient = this.#perBatch(gradient);
    const pass = { query, key: this.keys, value: this.rows, outputGradient };
    const options = { ...this.#options, out: this.gradients, accumulate: true };
    const back = additiveAttentionBackward(this.attention, pass, options);
    gather(this.parts.v, back.scoreWeightGradient);
    return this.parts.query.backward(state, back.queryGradient.data);
  }

  /** One row of each batch, [B, 1, size]. */
  #perBatch(data: Float32Array): Tensor {
    const [batch] = this.rows.dims;
    return tensor(data, [batch, 1, data.length / batch]);
  }
}
