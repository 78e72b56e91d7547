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
import {
  type Attending,
  LearntLooks,
  type Memory,
  type Scoring,
  type Sizes,
  Stepping,
  scoring,
} from "../seq2seq-rnn/attending";
import { gather, type Parameter, parameter } from "../training/block";
import type { Random } from "../training/random";

const FILTERS = 8;
const WIDTH = 5;

interface Parts extends Scoring {
  readonly filters: Parameter;
  readonly location: Parameter;
  /** Of entmax, or none for softmax. */
  readonly alpha: number | undefined;
}

export class LocationAttention extends LearntLooks<Parts> {
  constructor(
    attention: Attention<"training" | "variants">,
    sizes: Sizes,
    random: Random,
    alpha?: number,
  ) {
    const { hidden } = sizes;
    const scores = scoring(attention, sizes, random);
    const filters = parameter([FILTERS, 2, WIDTH], random, Math.sqrt(3 / (2 * WIDTH)));
    const location = parameter([FILTERS, hidden], random, Math.sqrt(6 / (FILTERS + hidden)));
    super(attention, { ...scores, filters, location, alpha }, [filters, location]);
  }

  begin(memory: Memory): Attending {
    return new Located(this.attention, this.parts, memory);
  }
}

interface Step {
  readonly decoder: Float32Array;
  readonly query: Tensor;
  readonly before: LocationState | undefined;
}

class Located extends Stepping<Parts, Step> {
  readonly #options;
  #state: LocationState | undefined;
  #ofState: LocationState | undefined;

  constructor(attention: Attention<"variants">, parts: Parts, memory: Memory) {
    super(attention, parts, memory);
    const { v, filters, location, alpha } = parts;
    this.#options = {
      ...{ filters, locationWeight: location, scoreWeight: v },
      ...{ keyLengths: memory.lengths, alpha },
    };
  }

  step(decoder: Float32Array, record = false): { context: Float32Array; weights: Float32Array } {
    const [batch] = this.rows.dims;
    const projected = this.parts.query.forward(decoder);
    const query = tensor(projected, [batch, projected.length / batch]);
    const before = this.#state;
    const options = { ...this.#options, state: before };
    const { output, weights, state } = locationSensitiveAttention(
      this.attention,
      query,
      this.keys,
      this.rows,
      options,
    );
    this.#state = state;
    if (record) this.steps.push({ decoder, query, before });
    return { context: output.data, weights: weights.data };
  }

  backward(gradient: Float32Array): Float32Array {
    const { decoder, query, before } = this.steps.pop() as Step;
    const { v, filters, location } = this.parts;
    const pass = {
      ...{ query, key: this.keys, value: this.rows },
      outputGradient: tensor(gradient, [query.dims[0], gradient.length / query.dims[0]]),
      stateGradient: this.#ofState,
    };
    const out = {
      ...this.gradients,
      ...{ filters: filters.gradient, locationWeight: location.gradient },
    };
    const options = { ...this.#options, state: before, out, accumulate: true };
    const back = locationSensitiveAttentionBackward(this.attention, pass, options);
    this.#ofState = back.stateGradient;
    gather(v, back.scoreWeightGradient);
    return this.parts.query.backward(decoder, back.queryGradient.data);
  }
}
