// What training a transformer needs besides attention and projections: layer normalisation, an
// activation, embeddings, cross-entropy and Adam, each with its gradient.
//
// A learnt layer keeps what its last `forward` saw until `backward`, and adds to its parameters'
// gradients. Only + − × ÷ and √ are used, which every engine rounds alike; exponentials,
// logarithms and cosines come from wasm-attention. So a reproducible engine gives reproducible
// training.

import type { Attention, Tensor } from "wasm-attention";
import { sinusoidalPositions } from "wasm-attention/positions";
import type { Random } from "./random";

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

/** x + y, in x. */
export function add(x: Tensor, y: Tensor): Tensor {
  const [a, b] = [x.data, y.data];
  for (let i = 0; i < a.length; i++) a[i] += b[i];
  return x;
}

/** max(x, 0), in place. */
export function relu(x: Tensor): Tensor {
  const { data } = x;
  for (let i = 0; i < data.length; i++) if (data[i] < 0) data[i] = 0;
  return x;
}

/** The gradient of relu's input, in that of its `output`. */
export function reluBackward(gradient: Tensor, output: Tensor): Tensor {
  const [dy, y] = [gradient.data, output.data];
  for (let i = 0; i < y.length; i++) if (y[i] <= 0) dy[i] = 0;
  return gradient;
}

/** (x − mean) / √(variance + epsilon) · scale + bias over the last axis (Ba et al. 2016). */
export class LayerNorm {
  readonly scale: Parameter;
  readonly bias: Parameter;
  readonly parameters: readonly Parameter[];
  #normalised = new Float32Array();
  #factors = new Float32Array();

  constructor(size: number, random: Random) {
    this.scale = parameter([size], random, 0, 1);
    this.bias = parameter([size], random, 0);
    this.parameters = [this.scale, this.bias];
  }

  forward({ data: x, dims }: Tensor, epsilon = 1e-5): Tensor {
    const [scale, bias] = [this.scale.data, this.bias.data];
    const size = scale.length;
    const result = new Float32Array(x.length);
    const normalised = new Float32Array(x.length);
    const factors = new Float32Array(x.length / size);
    for (let row = 0; row < x.length; row += size) {
      let mean = 0;
      for (let i = 0; i < size; i++) mean += x[row + i];
      mean /= size;
      let squares = 0;
      for (let i = 0; i < size; i++) squares += (x[row + i] - mean) * (x[row + i] - mean);
      const factor = 1 / Math.sqrt(squares / size + epsilon);
      factors[row / size] = factor;
      for (let i = 0; i < size; i++) {
        const value = (x[row + i] - mean) * factor;
        normalised[row + i] = value;
        result[row + i] = value * scale[i] + bias[i];
      }
    }
    this.#normalised = normalised;
    this.#factors = factors;
    return { data: result, dims };
  }

  /** dx = factor · (g − mean(g) − x̂ · mean(g · x̂)) with g = dy · scale. */
  backward({ data: dy, dims }: Tensor): Tensor {
    const { data: scale, gradient: scaleGradient } = this.scale;
    const biasGradient = this.bias.gradient;
    const normalised = this.#normalised;
    const size = scale.length;
    const result = new Float32Array(dy.length);
    for (let row = 0; row < dy.length; row += size) {
      let mean = 0;
      let along = 0;
      for (let i = 0; i < size; i++) {
        const given = dy[row + i];
        const value = normalised[row + i];
        scaleGradient[i] += given * value;
        biasGradient[i] += given;
        mean += given * scale[i];
        along += given * scale[i] * value;
      }
      mean /= size;
      along /= size;
      const factor = this.#factors[row / size];
      for (let i = 0; i < size; i++) {
        result[row + i] = factor * (dy[row + i] * scale[i] - mean - normalised[row + i] * along);
      }
    }
    return { data: result, dims };
  }
}

/** A row of `table` for each id. */
export class Embedding {
  readonly table: Parameter;
  readonly parameters: readonly Parameter[];
  #ids: Int32Array = new Int32Array();

  constructor(count: number, size: number, random: Random) {
    // A variance of 1 / size: positions and embeddings are scaled by √size alike.
    this.table = parameter([count, size], random, Math.sqrt(3 / size));
    this.parameters = [this.table];
  }

  /** ids [batch · length] → √size · row, and a position's row of `positions`: [batch, length, size]. */
  forward(ids: Int32Array, batch: number, positions?: Tensor): Tensor {
    const { data: table, dims } = this.table;
    const size = dims[1];
    const length = ids.length / batch;
    const factor = Math.sqrt(size);
    const added = positions?.data;
    const data = new Float32Array(ids.length * size);
    for (let row = 0; row < ids.length; row++) {
      const from = ids[row] * size;
      const position = (row % length) * size;
      for (let i = 0; i < size; i++) {
        data[row * size + i] = factor * table[from + i] + (added?.[position + i] ?? 0);
      }
    }
    this.#ids = ids;
    return { data, dims: [batch, length, size] };
  }

  backward({ data: dy }: Tensor): void {
    const { gradient, dims } = this.table;
    const size = dims[1];
    const factor = Math.sqrt(size);
    this.#ids.forEach((id, row) => {
      for (let i = 0; i < size; i++) gradient[id * size + i] += factor * dy[row * size + i];
    });
  }
}

export interface Loss {
  /** Mean of −ln softmax(logits)[target] over the rows that have a target. */
  readonly loss: number;
  /** Of the logits: (softmax(logits) − one at the target) / rows. */
  readonly gradient: Tensor;
}

/** logits [..., classes], a class for each row or −1 for a row that does not count. */
export function crossEntropy(
  attention: Attention<"positions">,
  logits: Tensor,
  targets: Int32Array,
): Loss {
  const rows = targets.length;
  const classes = logits.data.length / rows;
  // Softmax is attention whose scores are all mask: queries and keys are 0.
  const zeros = (count: number) => ({ data: new Float32Array(count), dims: [count, 1] });
  const { weights, logSumExp } = attention.attend(zeros(rows), zeros(classes), zeros(classes), {
    mask: { data: logits.data, dims: [rows, classes] },
    weights: true,
    logSumExp: true,
  });
  const gradient = (weights as Tensor).data;
  const counted = targets.reduce((sum, target) => sum + (target < 0 ? 0 : 1), 0);
  let loss = 0;
  targets.forEach((target, row) => {
    const from = row * classes;
    if (target < 0) {
      gradient.fill(0, from, from + classes);
      return;
    }
    loss += (logSumExp as Tensor).data[row] - logits.data[from + target];
    gradient[from + target] -= 1;
    for (let i = from; i < from + classes; i++) gradient[i] /= counted;
  });
  return { loss: loss / counted, gradient: { data: gradient, dims: logits.dims } };
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
