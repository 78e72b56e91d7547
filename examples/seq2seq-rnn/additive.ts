// Additive attention (Bahdanau, Cho, Bengio 2015, section 3.1 and appendix A.1.2) of one query a step:
//
//   e_j = vᵀ tanh(W s + U h_j)    α = softmax(e)    c = Σ α_j h_j
//
// s [B, state], memory h [B, S, size]. U h is a product once for all steps, W s one of each step; the rest is
// `additiveAttention` of wasm-attention/variants. A memory's rows past its length have no weight.

import { type Attention, type Tensor, tensor } from "wasm-attention";
import { additiveAttention, additiveAttentionBackward } from "wasm-attention/variants";
import { gather, type Parameter, parameter } from "../training/block";
import type { Random } from "../training/random";
import { add, Product } from "./product";

/** What is attended to. */
export interface Memory {
  /** [B, S, size] */
  readonly rows: Float32Array;
  /** Of each batch, how many rows are there. */
  readonly lengths: readonly number[];
  readonly longest: number;
}

export interface Sizes {
  readonly state: number;
  readonly memory: number;
  readonly hidden: number;
}

/** An attention of one query a step, to learn. */
export interface Looks {
  readonly parameters: readonly Parameter[];
  /** A memory that queries attend to, one after the other. */
  begin(memory: Memory): Attending;
  /** After the parameters have moved. */
  update(): void;
  dispose(): void;
}

export interface Attending {
  /** s [B, state] → c [B, size] and α [B, S]; with `record` for `backward`. */
  step(
    state: Float32Array,
    record?: boolean,
  ): { readonly context: Float32Array; readonly weights: Float32Array };
  /** Of the last step that is left: from the gradient of c that of s. */
  backward(gradient: Float32Array): Float32Array;
  /** Once all steps have gone back: the gradient of the memory. */
  end(): Float32Array;
}

interface Parts {
  readonly query: Product;
  readonly key: Product;
  readonly v: Parameter;
}

export class AdditiveAttention implements Looks {
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"variants">;
  readonly #parts: Parts;

  constructor(attention: Attention<"training" | "variants">, sizes: Sizes, random: Random) {
    const query = new Product(attention, sizes.state, sizes.hidden, random);
    const key = new Product(attention, sizes.memory, sizes.hidden, random);
    const v = parameter([sizes.hidden], random, Math.sqrt(3 / sizes.hidden));
    this.#attention = attention;
    this.#parts = { query, key, v };
    this.parameters = [...query.parameters, ...key.parameters, v];
  }

  begin(memory: Memory): Attending {
    return new Added(this.#attention, this.#parts, memory);
  }

  update(): void {
    this.#parts.query.update();
    this.#parts.key.update();
  }

  dispose(): void {
    this.#parts.query.dispose();
    this.#parts.key.dispose();
  }
}

interface Step {
  readonly state: Float32Array;
  /** W s [B, 1, hidden] */
  readonly query: Tensor;
}

class Added implements Attending {
  readonly #attention: Attention<"variants">;
  readonly #parts: Parts;
  readonly #rows: Tensor;
  readonly #keys: Tensor;
  readonly #options;
  /** Of U h, and of the memory by its weighted sums. */
  readonly #gradients: { readonly key: Float32Array; readonly value: Float32Array };
  readonly #steps: Step[] = [];

  constructor(attention: Attention<"variants">, parts: Parts, memory: Memory) {
    const { rows, lengths, longest } = memory;
    this.#attention = attention;
    this.#parts = parts;
    this.#rows = tensor(rows, [lengths.length, longest, rows.length / lengths.length / longest]);
    const hidden = parts.v.data.length;
    this.#keys = tensor(parts.key.forward(rows), [lengths.length, longest, hidden]);
    this.#options = { layout: "BLE", heads: 1, keyLengths: lengths, scoreWeight: parts.v } as const;
    this.#gradients = {
      key: new Float32Array(this.#keys.data.length),
      value: new Float32Array(rows.length),
    };
  }

  step(state: Float32Array, record = false): { context: Float32Array; weights: Float32Array } {
    const query = this.#perBatch(this.#parts.query.forward(state));
    const options = { ...this.#options, weights: true } as const;
    const { output, weights } = additiveAttention(
      this.#attention,
      query,
      this.#keys,
      this.#rows,
      options,
    );
    if (record) this.#steps.push({ state, query });
    return { context: output.data, weights: weights.data };
  }

  backward(gradient: Float32Array): Float32Array {
    const { state, query } = this.#steps.pop() as Step;
    const outputGradient = this.#perBatch(gradient);
    const pass = { query, key: this.#keys, value: this.#rows, outputGradient };
    const options = { ...this.#options, out: this.#gradients, accumulate: true };
    const back = additiveAttentionBackward(this.#attention, pass, options);
    gather(this.#parts.v, back.scoreWeightGradient);
    return this.#parts.query.backward(state, back.queryGradient.data);
  }

  end(): Float32Array {
    const { query, key } = this.#parts;
    const ofKeys = key.backward(this.#rows.data, this.#gradients.key);
    query.gather();
    key.gather();
    return add(this.#gradients.value, ofKeys);
  }

  /** One row of each batch, [B, 1, size]. */
  #perBatch(data: Float32Array): Tensor {
    const [batch] = this.#rows.dims;
    return tensor(data, [batch, 1, data.length / batch]);
  }
}
