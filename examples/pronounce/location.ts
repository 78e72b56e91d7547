// Location-sensitive attention (Chorowski et al. 2015, "Attention-based models for speech recognition") of one query a
// step: additive attention that also sees, by a short convolution, where its weights were a step ago and in all:
//
//   e_j = vᵀ tanh(W s + U h_j + L (F ∗ α)_j)    α = softmax(e), or entmax    c = Σ α_j h_j
//
// In the place of `AdditiveAttention` of examples/seq2seq-rnn. Steps go back from the last to the first, and each hands
// the one before what its weights have done since.

import { type Attention, type Tensor, tensor } from "wasm-attention";
import {
  type LocationState,
  locationSensitiveAttention,
  locationSensitiveAttentionBackward,
} from "wasm-attention/variants";
import type { Attending, Looks, Memory, Sizes } from "../seq2seq-rnn/additive";
import { add, Product } from "../seq2seq-rnn/product";
import { gather, type Parameter, parameter } from "../training/block";
import type { Random } from "../training/random";

const FILTERS = 8;
const WIDTH = 5;

interface Parts {
  readonly query: Product;
  readonly key: Product;
  readonly v: Parameter;
  readonly filters: Parameter;
  readonly location: Parameter;
  /** Of entmax, or none for softmax. */
  readonly alpha: number | undefined;
}

export class LocationAttention implements Looks {
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"variants">;
  readonly #parts: Parts;

  constructor(
    attention: Attention<"training" | "variants">,
    sizes: Sizes,
    random: Random,
    alpha?: number,
  ) {
    const { state, memory, hidden } = sizes;
    const query = new Product(attention, state, hidden, random);
    const key = new Product(attention, memory, hidden, random);
    const v = parameter([hidden], random, Math.sqrt(3 / hidden));
    const filters = parameter([FILTERS, 2, WIDTH], random, Math.sqrt(3 / (2 * WIDTH)));
    const location = parameter([FILTERS, hidden], random, Math.sqrt(6 / (FILTERS + hidden)));
    this.#attention = attention;
    this.#parts = { query, key, v, filters, location, alpha };
    this.parameters = [...query.parameters, ...key.parameters, v, filters, location];
  }

  begin(memory: Memory): Attending {
    return new Located(this.#attention, this.#parts, memory);
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
  readonly decoder: Float32Array;
  readonly query: Tensor;
  readonly before: LocationState | undefined;
}

class Located implements Attending {
  readonly #attention: Attention<"variants">;
  readonly #parts: Parts;
  readonly #rows: Tensor;
  readonly #keys: Tensor;
  readonly #options;
  readonly #gradients: { readonly key: Float32Array; readonly value: Float32Array };
  readonly #steps: Step[] = [];
  #state: LocationState | undefined;
  #ofState: LocationState | undefined;

  constructor(attention: Attention<"variants">, parts: Parts, memory: Memory) {
    const { rows, lengths, longest } = memory;
    const { key, v, filters, location, alpha } = parts;
    this.#attention = attention;
    this.#parts = parts;
    this.#rows = tensor(rows, [lengths.length, longest, rows.length / lengths.length / longest]);
    this.#keys = tensor(key.forward(rows), [lengths.length, longest, v.data.length]);
    this.#options = {
      ...{ filters, locationWeight: location, scoreWeight: v },
      ...{ keyLengths: lengths, alpha },
    };
    this.#gradients = {
      key: new Float32Array(this.#keys.data.length),
      value: new Float32Array(rows.length),
    };
  }

  step(decoder: Float32Array, record = false): { context: Float32Array; weights: Float32Array } {
    const [batch] = this.#rows.dims;
    const projected = this.#parts.query.forward(decoder);
    const query = tensor(projected, [batch, projected.length / batch]);
    const before = this.#state;
    const options = { ...this.#options, state: before };
    const { output, weights, state } = locationSensitiveAttention(
      this.#attention,
      query,
      this.#keys,
      this.#rows,
      options,
    );
    this.#state = state;
    if (record) this.#steps.push({ decoder, query, before });
    return { context: output.data, weights: weights.data };
  }

  backward(gradient: Float32Array): Float32Array {
    const { decoder, query, before } = this.#steps.pop() as Step;
    const { v, filters, location } = this.#parts;
    const pass = {
      ...{ query, key: this.#keys, value: this.#rows },
      outputGradient: tensor(gradient, [query.dims[0], gradient.length / query.dims[0]]),
      stateGradient: this.#ofState,
    };
    const out = {
      ...this.#gradients,
      ...{ filters: filters.gradient, locationWeight: location.gradient },
    };
    const options = { ...this.#options, state: before, out, accumulate: true };
    const back = locationSensitiveAttentionBackward(this.#attention, pass, options);
    this.#ofState = back.stateGradient;
    gather(v, back.scoreWeightGradient);
    return this.#parts.query.backward(decoder, back.queryGradient.data);
  }

  end(): Float32Array {
    const { query, key } = this.#parts;
    const ofKeys = key.backward(this.#rows.data, this.#gradients.key);
    query.gather();
    key.gather();
    return add(this.#gradients.value, ofKeys);
  }
}
