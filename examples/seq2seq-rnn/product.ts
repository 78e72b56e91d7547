// x · W + b for a network that goes through time: each step multiplies on its own, and the gradient of the
// weight comes of all steps' rows in one product at the end.

import {
  type Attention,
  linear,
  type PreparedLinear,
  prepareLinear,
  type Tensor,
  tensor,
} from "wasm-attention";
import { linearBackward } from "wasm-attention/training";
import { type Parameter, parameter } from "../training/block";
import type { Random } from "../training/random";

/** Rows of steps, kept until the gradient of the weight is made of them. */
interface Kept {
  readonly x: Float32Array;
  readonly gradient: Float32Array;
}

export class Product {
  readonly parameters: readonly Parameter[];
  readonly #attention: Attention<"training">;
  readonly #sizes: readonly [inputs: number, outputs: number];
  readonly #weight: Parameter;
  readonly #bias: Parameter;
  readonly #forward: PreparedLinear;
  /** The same numbers as a matrix from the outputs to the inputs. */
  readonly #back: PreparedLinear;
  #kept: Kept[] = [];

  constructor(attention: Attention<"training">, inputs: number, outputs: number, random: Random) {
    this.#attention = attention;
    this.#sizes = [inputs, outputs];
    // Glorot and Bengio 2010
    this.#weight = parameter([inputs, outputs], random, Math.sqrt(6 / (inputs + outputs)));
    this.#bias = parameter([outputs], random, 0);
    this.parameters = [this.#weight, this.#bias];
    const bias = this.#bias.data;
    this.#forward = prepareLinear(attention, this.#weight, { order: "in,out", bias });
    const transposed = { data: this.#weight.data, dims: [inputs, outputs] };
    this.#back = prepareLinear(attention, transposed, { order: "out,in" });
  }

  /** Rows of x, end to end. */
  forward(x: Float32Array): Float32Array {
    return this.#times(x, this.#forward, this.#sizes[0]);
  }

  /** From the gradient of rows that were multiplied, that of x; both are kept for the weight's. */
  backward(x: Float32Array, gradient: Float32Array): Float32Array {
    this.#kept.push({ x, gradient });
    return this.#times(gradient, this.#back, this.#sizes[1]);
  }

  /** Adds the gradient of the weight and the bias over all rows that were kept. */
  gather(): void {
    const rows = (part: keyof Kept, size: number): Tensor => {
      const data = joined(this.#kept.map((each) => each[part]));
      return tensor(data, [data.length / size, size]);
    };
    const [x, gradient] = [rows("x", this.#sizes[0]), rows("gradient", this.#sizes[1])];
    this.#kept = [];
    linearBackward(this.#attention, gradient, x, this.#forward, {
      gradients: { input: false },
      out: { weight: this.#weight.gradient, bias: this.#bias.gradient },
      accumulate: true,
    });
  }

  /** After the parameters have moved. */
  update(): void {
    this.#forward.update(this.#weight, this.#bias.data);
    this.#back.update(this.#weight);
  }

  dispose(): void {
    this.#forward.dispose();
    this.#back.dispose();
  }

  #times(x: Float32Array, prepared: PreparedLinear, size: number): Float32Array {
    return linear(this.#attention, tensor(x, [x.length / size, size]), prepared).data;
  }
}

/** One behind the other. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** b is added to a, in a. */
export function add(a: Float32Array, b: Float32Array): Float32Array {
  for (let i = 0; i < a.length; i++) a[i] += b[i];
  return a;
}

/** Rows of a and of b side by side. */
export function beside(a: Float32Array, b: Float32Array, sizes: readonly [number, number]) {
  const [left, right] = sizes;
  const result = new Float32Array(a.length + b.length);
  for (let row = 0; row < a.length / left; row++) {
    result.set(a.subarray(row * left, (row + 1) * left), row * (left + right));
    result.set(b.subarray(row * right, (row + 1) * right), row * (left + right) + left);
  }
  return result;
}

/** The two that were side by side. */
export function apart(x: Float32Array, sizes: readonly [number, number]) {
  const [left, right] = sizes;
  const rows = x.length / (left + right);
  const [a, b] = [new Float32Array(rows * left), new Float32Array(rows * right)];
  for (let row = 0; row < rows; row++) {
    const at = row * (left + right);
    a.set(x.subarray(at, at + left), row * left);
    b.set(x.subarray(at + left, at + left + right), row * right);
  }
  return [a, b] as const;
}

/** (e^2x − 1) / (e^2x + 1), several times as fast as `Math.tanh`; near 0 to the last bits of 1, not of x. */
export const tanh = (x: number) => 1 - 2 / (1 + Math.exp(2 * x));
