// Additive attention (Bahdanau, Cho, Bengio 2015, section 3.1 and appendix A.1.2) of one query a step:
//
//   e_j = vᵀ tanh(W s + U h_j)    α = softmax(e)    c = Σ α_j h_j
//
// s [B, state], memory h [B, S, size]; W s and U h are products of wasm-attention, U h once for all steps, and
// the softmax is its as well. A memory's rows past its length have no weight.

import { type Attention, type Tensor, tensor } from "wasm-attention";
import { softmax, softmaxBackward } from "wasm-attention/blocks";
import { type Parameter, parameter } from "../training/block";
import type { Random } from "../training/random";
import { add, Product, tanh } from "./product";

/** What is attended to. */
export interface Memory {
  /** [B, S, size] */
  readonly rows: Float32Array;
  /** Of each batch, how many rows are there. */
  readonly lengths: readonly number[];
  readonly longest: number;
}

interface Step {
  readonly state: Float32Array;
  /** tanh(W s + U h_j) [B, S, hidden] */
  readonly inner: Float32Array;
  readonly weights: Tensor;
}

interface Sizes {
  readonly state: number;
  readonly memory: number;
  readonly hidden: number;
}

export class AdditiveAttention {
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"blocks" | "training">;
  readonly #sizes: Sizes;
  readonly #query: Product;
  readonly #key: Product;
  readonly #v: Parameter;

  constructor(attention: Attention<"blocks" | "training">, sizes: Sizes, random: Random) {
    this.#attention = attention;
    this.#sizes = sizes;
    this.#query = new Product(attention, sizes.state, sizes.hidden, random);
    this.#key = new Product(attention, sizes.memory, sizes.hidden, random);
    this.#v = parameter([sizes.hidden], random, Math.sqrt(3 / sizes.hidden));
    this.parameters = [...this.#query.parameters, ...this.#key.parameters, this.#v];
  }

  /** A memory that queries attend to, one after the other. */
  begin(memory: Memory): Attending {
    const { hidden, memory: size } = this.#sizes;
    const parts = { query: this.#query, key: this.#key, v: this.#v };
    return new Attending(this.#attention, parts, memory, { hidden, size });
  }

  update(): void {
    this.#query.update();
    this.#key.update();
  }

  dispose(): void {
    this.#query.dispose();
    this.#key.dispose();
  }
}

interface Parts {
  readonly query: Product;
  readonly key: Product;
  readonly v: Parameter;
}

export class Attending {
  readonly #attention: Attention<"blocks" | "training">;
  readonly #parts: Parts;
  readonly #memory: Memory;
  readonly #hidden: number;
  readonly #size: number;
  readonly #keys: Float32Array;
  readonly #keyGradient: Float32Array;
  readonly #memoryGradient: Float32Array;
  readonly #steps: Step[] = [];

  constructor(
    attention: Attention<"blocks" | "training">,
    parts: Parts,
    memory: Memory,
    { hidden, size }: { hidden: number; size: number },
  ) {
    this.#attention = attention;
    this.#parts = parts;
    this.#memory = memory;
    this.#hidden = hidden;
    this.#size = size;
    this.#keys = parts.key.forward(memory.rows);
    this.#keyGradient = new Float32Array(this.#keys.length);
    this.#memoryGradient = new Float32Array(memory.rows.length);
  }

  /** s [B, state] → c [B, size] and α [B, S]; with `record` for `backward`. */
  step(state: Float32Array, record = false): { context: Float32Array; weights: Float32Array } {
    const { rows, lengths, longest } = this.#memory;
    const [hidden, size, keys] = [this.#hidden, this.#size, this.#keys];
    const v = this.#parts.v.data;
    const query = this.#parts.query.forward(state);
    const inner = new Float32Array(keys.length);
    const scores = new Float32Array(lengths.length * longest).fill(-Infinity);
    for (const [row, b] of this.#rows()) {
      const [from, key] = [b * hidden, row * hidden];
      let score = 0;
      for (let a = 0; a < hidden; a++) {
        const t = tanh(query[from + a] + keys[key + a]);
        inner[key + a] = t;
        score += v[a] * t;
      }
      scores[row] = score;
    }
    const weights = softmax(this.#attention, tensor(scores, [lengths.length, longest]));
    const context = new Float32Array(lengths.length * size);
    for (const [row, b] of this.#rows()) {
      const weight = weights.data[row];
      for (let d = 0; d < size; d++) context[b * size + d] += weight * rows[row * size + d];
    }
    if (record) this.#steps.push({ state, inner, weights });
    return { context, weights: weights.data };
  }

  /** Of the last step that is left: from the gradient of c that of s. */
  backward(gradient: Float32Array): Float32Array {
    const { rows, lengths } = this.#memory;
    const [hidden, size, v] = [this.#hidden, this.#size, this.#parts.v];
    const { state, inner, weights } = this.#steps.pop() as Step;
    const ofWeights = new Float32Array(weights.data.length);
    const ofMemory = this.#memoryGradient;
    for (const [row, b] of this.#rows()) {
      const weight = weights.data[row];
      let sum = 0;
      for (let d = 0; d < size; d++) {
        const slope = gradient[b * size + d];
        sum += slope * rows[row * size + d];
        ofMemory[row * size + d] += weight * slope;
      }
      ofWeights[row] = sum;
    }
    const given = tensor(ofWeights, weights.dims);
    const ofScores = softmaxBackward(this.#attention, given, weights).data;
    const ofQuery = new Float32Array(lengths.length * hidden);
    const ofKeys = this.#keyGradient;
    for (const [row, b] of this.#rows()) {
      const [from, key] = [b * hidden, row * hidden];
      const ofScore = ofScores[row];
      for (let a = 0; a < hidden; a++) {
        const t = inner[key + a];
        const before = ofScore * v.data[a] * (1 - t * t);
        v.gradient[a] += ofScore * t;
        ofQuery[from + a] += before;
        ofKeys[key + a] += before;
      }
    }
    return this.#parts.query.backward(state, ofQuery);
  }

  /** Once all steps have gone back: the gradient of the memory. */
  end(): Float32Array {
    const { query, key } = this.#parts;
    const ofKeys = key.backward(this.#memory.rows, this.#keyGradient);
    query.gather();
    key.gather();
    return add(this.#memoryGradient, ofKeys);
  }

  /** Every row of the memory that is there, and whose it is. */
  #rows(): readonly (readonly [row: number, b: number])[] {
    const { lengths, longest } = this.#memory;
    return lengths.flatMap((length, b) =>
      Array.from({ length }, (_, j) => [b * longest + j, b] as const),
    );
  }
}
