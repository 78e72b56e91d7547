// What training a transformer needs besides its layers: a norm, embeddings and a loss on
// wasm-attention/blocks, the rate of learning, and Adam.
//
// A learnt layer keeps what its last `forward` saw until `backward`, and adds to its parameters'
// gradients. With a workspace its results lie there, else they are the caller's own. Only + − × ÷ and
// √ are used here, which every engine rounds alike; exponentials, logarithms and cosines come from
// wasm-attention. So a reproducible engine gives reproducible training.

import type { Attention, Tensor } from "wasm-attention";
import {
  crossEntropy,
  embedding,
  embeddingBackward,
  layerNorm,
  layerNormBackward,
} from "wasm-attention/blocks";
import { sinusoidalPositions } from "wasm-attention/positions";
import type { Random } from "./random";
import type { Workspace } from "./workspace";

/** Numbers that are learnt, and the gradient summed up for them. */
export interface Parameter extends Tensor {
  readonly gradient: Float32Array;
}

/** A parameter uniform in ±limit around `centre`. */
export function parameter(
  dims: readonly number[],
  { uniform }: Random,
  limit: number,
  centre = 0,
): Parameter {
  const elements = dims.reduce((product, size) => product * size, 1);
  const data = Float32Array.from({ length: elements }, () => centre + limit * (2 * uniform() - 1));
  return { data, dims, gradient: new Float32Array(elements) };
}

/** Adds a gradient to a parameter's. */
export function gather(parameter: Parameter, gradient: Tensor | undefined): void {
  const [sum, { data }] = [parameter.gradient, gradient as Tensor];
  for (let i = 0; i < sum.length; i++) sum[i] += data[i];
}

/** (x − mean) / √(variance + epsilon) · scale + bias over the last axis (Ba et al. 2016). */
export class LayerNorm {
  readonly scale: Parameter;
  readonly bias: Parameter;
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"blocks">;
  #input: Tensor | undefined;

  constructor(attention: Attention<"blocks">, size: number, random: Random) {
    this.#attention = attention;
    this.scale = parameter([size], random, 0, 1);
    this.bias = parameter([size], random, 0);
    this.parameters = [this.scale, this.bias];
  }

  forward(x: Tensor, workspace?: Workspace): Tensor {
    this.#input = x;
    const options = { weight: this.scale, bias: this.bias, out: workspace?.make(x.dims) };
    return layerNorm(this.#attention, x, options).output;
  }

  backward(gradient: Tensor, workspace?: Workspace): Tensor {
    const { inputGradient, weightGradient, biasGradient } = layerNormBackward(
      this.#attention,
      gradient,
      this.#input as Tensor,
      { weight: this.scale, bias: this.bias, out: { input: workspace?.make(gradient.dims) } },
    );
    gather(this.scale, weightGradient);
    gather(this.bias, biasGradient);
    return inputGradient;
  }
}

/** A row of `table` for each id. */
export class Embedding {
  readonly table: Parameter;
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"blocks">;
  readonly #scale: number;
  #ids: Int32Array = new Int32Array();

  constructor(attention: Attention<"blocks">, count: number, size: number, random: Random) {
    this.#attention = attention;
    // A variance of 1 / size: positions and embeddings are scaled by √size alike.
    this.table = parameter([count, size], random, Math.sqrt(3 / size));
    this.#scale = Math.sqrt(size);
    this.parameters = [this.table];
  }

  /** ids [batch · length] → √size · row, and a position's row of `positions`: [batch, length, size]. */
  forward(ids: Int32Array, batch: number, positions?: Tensor, workspace?: Workspace): Tensor {
    const dims = [batch, ids.length / batch];
    const out = workspace?.make([...dims, this.table.dims[1]]);
    const options = { scale: this.#scale, out };
    const x = embedding(this.#attention, this.table, { data: ids, dims }, options);
    if (positions) addToEach(x.data, positions.data);
    this.#ids = ids;
    return x;
  }

  backward({ data, dims }: Tensor): void {
    const { gradient } = this.table;
    const rows = { data, dims: [this.#ids.length, dims.at(-1) as number] };
    embeddingBackward(this.#attention, rows, this.#ids, {
      count: this.table.dims[0],
      scale: this.#scale,
      out: gradient,
      accumulate: true,
    });
  }
}

/** Adds `row` to each part of x that is as long. */
function addToEach(x: Float32Array, row: Float32Array): void {
  for (let from = 0; from < x.length; from += row.length) {
    for (let i = 0; i < row.length; i++) x[from + i] += row[i];
  }
}

export interface Loss {
  /** Mean of −ln softmax(logits)[target] over the rows that have a target. */
  readonly loss: number;
  /** Of the logits: (softmax(logits) − one at the target) / rows. */
  readonly gradient: Tensor;
}

/** logits [..., classes], a class for each row or −1 for a row that does not count. */
export function lossOf(
  attention: Attention<"blocks">,
  logits: Tensor,
  targets: Int32Array,
  workspace?: Workspace,
): Loss {
  const classes = { data: targets, dims: logits.dims.slice(0, -1) };
  const out = workspace?.make(logits.dims);
  return crossEntropy(attention, logits, classes, { ignoreIndex: -1, gradient: true, out });
}

export interface Schedule {
  readonly steps: number;
  readonly warmUp: number;
  /** The highest rate. */
  readonly rate: number;
}

/** Rises straight for `warmUp` steps, then falls along a cosine to 0 (Loshchilov, Hutter 2017). */
export function rateAt(
  attention: Attention<"positions">,
  step: number,
  schedule: Schedule,
): number {
  const { steps, warmUp, rate } = schedule;
  if (step < warmUp) return (rate * (step + 1)) / warmUp;
  const angle = (Math.PI * (step - warmUp)) / (steps - warmUp);
  const [, cosine] = sinusoidalPositions(attention, { positions: [angle], size: 2 }).data;
  return (rate * (1 + cosine)) / 2;
}

/** Kingma and Ba 2015, "Adam". */
export class Adam {
  readonly #moments: readonly (readonly [Parameter, Float32Array, Float32Array])[];
  #firstDecay = 1;
  #secondDecay = 1;

  constructor(
    parameters: readonly Parameter[],
    readonly beta1 = 0.9,
    readonly beta2 = 0.98,
    readonly epsilon = 1e-8,
  ) {
    const moment = ({ data }: Parameter) => new Float32Array(data.length);
    this.#moments = parameters.map((each) => [each, moment(each), moment(each)]);
  }

  /** Moves every parameter against its gradient, and begins the gradients anew. */
  step(rate: number): void {
    const { beta1, beta2, epsilon } = this;
    this.#firstDecay *= beta1;
    this.#secondDecay *= beta2;
    const stride = rate / (1 - this.#firstDecay);
    const spread = 1 / (1 - this.#secondDecay);
    for (const [{ data, gradient }, first, second] of this.#moments) {
      for (let i = 0; i < data.length; i++) {
        const g = gradient[i];
        first[i] = beta1 * first[i] + (1 - beta1) * g;
        second[i] = beta2 * second[i] + (1 - beta2) * g * g;
        data[i] -= (stride * first[i]) / (Math.sqrt(second[i] * spread) + epsilon);
      }
      gradient.fill(0);
    }
  }
}
