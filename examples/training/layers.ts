// Learnt layers on wasm-attention's own calls: a projection, multi-head attention, and the
// feed-forward part of a block.

import {
  type Attention,
  type LayerOptions,
  type LayerRecord,
  linear,
  MultiHeadAttention,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
} from "wasm-attention";
import { linearBackward, multiHeadBackward } from "wasm-attention/training";
import { add, LayerNorm, type Parameter, parameter, relu, reluBackward } from "./block";
import type { Random } from "./random";

/** Glorot and Bengio 2010: uniform in ±√(6 / (in + out)). */
function weight(inputs: number, outputs: number, random: Random): Parameter {
  return parameter([inputs, outputs], random, Math.sqrt(6 / (inputs + outputs)));
}

/** x · W + b. */
export class Linear {
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"training">;
  readonly #weight: Parameter;
  readonly #bias: Parameter;
  readonly #prepared: PreparedLinear;
  #input: Tensor | undefined;

  constructor(attention: Attention<"training">, inputs: number, outputs: number, random: Random) {
    this.#attention = attention;
    this.#weight = weight(inputs, outputs, random);
    this.#bias = parameter([outputs], random, 0);
    this.parameters = [this.#weight, this.#bias];
    this.#prepared = prepareLinear(attention, this.#weight, {
      order: "in,out",
      bias: this.#bias.data,
    });
  }

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
      { out: { weight: this.#weight.gradient, bias: this.#bias.gradient }, accumulate: true },
    );
    return inputGradient as Tensor;
  }

  /** After the parameters have moved. */
  update(): void {
    this.#prepared.update(this.#weight, this.#bias.data);
  }

  dispose(): void {
    this.#prepared.dispose();
  }
}

const PROJECTIONS = ["query", "key", "value", "output"] as const;

/** Self-attention, or attention to a memory; its weights are learnt. */
export class Heads {
  readonly parameters: readonly Parameter[];
  readonly #layer: MultiHeadAttention;
  readonly #weights: Parameter[];
  readonly #biases: Parameter[];
  #record: LayerRecord | undefined;

  constructor(attention: Attention<"training">, size: number, heads: number, random: Random) {
    this.#weights = PROJECTIONS.map(() => weight(size, size, random));
    this.#biases = PROJECTIONS.map(() => parameter([size], random, 0));
    this.parameters = [...this.#weights, ...this.#biases];
    this.#layer = new MultiHeadAttention(attention, { heads }, this.#projections());
  }

  /** With `record: true` for `backward`. */
  forward(x: Tensor, memory: Tensor | undefined, options: LayerOptions) {
    this.#record?.dispose();
    const result = this.#layer.forward({ query: x, key: memory }, options);
    this.#record = result.record;
    return result;
  }

  /** Gradients of x and of the memory. */
  backward(gradient: Tensor): { x: Tensor; memory: Tensor | undefined } {
    const place = (i: number) => ({
      weight: this.#weights[i].gradient,
      bias: this.#biases[i].gradient,
    });
    const weights = { query: place(0), key: place(1), value: place(2), output: place(3) };
    const { queryGradient, keyGradient } = multiHeadBackward(
      this.#layer,
      gradient,
      this.#record as LayerRecord,
      { out: { weights }, accumulate: true },
    );
    return { x: queryGradient, memory: keyGradient };
  }

  update(): void {
    this.#layer.update(this.#projections());
  }

  dispose(): void {
    this.#record?.dispose();
    this.#layer.dispose();
  }

  #projections() {
    const projection = (i: number) => ({
      weight: this.#weights[i],
      order: "in,out" as const,
      bias: this.#biases[i].data,
    });
    return {
      query: projection(0),
      key: projection(1),
      value: projection(2),
      output: projection(3),
    };
  }
}

/** x + contract(relu(expand(norm(x)))). */
export class FeedForward {
  readonly parameters: readonly Parameter[];
  readonly #norm: LayerNorm;
  readonly #expand: Linear;
  readonly #contract: Linear;
  #hidden: Tensor | undefined;

  constructor(attention: Attention<"training">, size: number, hidden: number, random: Random) {
    this.#norm = new LayerNorm(size, random);
    this.#expand = new Linear(attention, size, hidden, random);
    this.#contract = new Linear(attention, hidden, size, random);
    this.parameters = [this.#norm, this.#expand, this.#contract].flatMap((part) => part.parameters);
  }

  forward(x: Tensor): Tensor {
    this.#hidden = relu(this.#expand.forward(this.#norm.forward(x)));
    return add(this.#contract.forward(this.#hidden), x);
  }

  backward(gradient: Tensor): Tensor {
    const hidden = reluBackward(this.#contract.backward(gradient), this.#hidden as Tensor);
    return add(this.#norm.backward(this.#expand.backward(hidden)), gradient);
  }

  update(): void {
    this.#expand.update();
    this.#contract.update();
  }

  dispose(): void {
    this.#expand.dispose();
    this.#contract.dispose();
  }
}

export interface BlockShape {
  readonly size: number;
  readonly heads: number;
  /** Between the two projections of the feed-forward part. */
  readonly hidden: number;
}

/** x + heads(norm(x)), then the feed-forward part: a pre-norm block. */
export class Block {
  readonly parameters: readonly Parameter[];
  readonly #norm: LayerNorm;
  readonly #heads: Heads;
  readonly #feedForward: FeedForward;

  constructor(
    attention: Attention<"training">,
    { size, heads, hidden }: BlockShape,
    random: Random,
  ) {
    this.#norm = new LayerNorm(size, random);
    this.#heads = new Heads(attention, size, heads, random);
    this.#feedForward = new FeedForward(attention, size, hidden, random);
    const parts = [this.#norm, this.#heads, this.#feedForward];
    this.parameters = parts.flatMap((part) => part.parameters);
  }

  forward(x: Tensor, options: LayerOptions): { output: Tensor; weights?: Tensor } {
    const { output, weights } = this.#heads.forward(this.#norm.forward(x), undefined, options);
    return { output: this.#feedForward.forward(add(output, x)), ...(weights && { weights }) };
  }

  backward(gradient: Tensor): Tensor {
    const middle = this.#feedForward.backward(gradient);
    return add(this.#norm.backward(this.#heads.backward(middle).x), middle);
  }

  update(): void {
    this.#heads.update();
    this.#feedForward.update();
  }

  dispose(): void {
    this.#heads.dispose();
    this.#feedForward.dispose();
  }
}
