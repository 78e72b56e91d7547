// Attention of one query a step, as a recurrent network has it: what is learnt and kept by every kind of it. Keys are a
// product of the memory, once for all steps, queries one of each step; steps go back from the last to the first.

import { type Attention, type Tensor, tensor } from "wasm-attention";
import { type Parameter, parameter } from "../training/block";
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

/** What every kind learns: W, U and v. */
export interface Scoring {
  readonly query: Product;
  readonly key: Product;
  readonly v: Parameter;
}

export function scoring(
  attention: Attention<"training">,
  { state, memory, hidden }: Sizes,
  random: Random,
): Scoring {
  const query = new Product(attention, state, hidden, random);
  const key = new Product(attention, memory, hidden, random);
  return { query, key, v: parameter([hidden], random, Math.sqrt(3 / hidden)) };
}

export abstract class LearntLooks<Parts extends Scoring> implements Looks {
  readonly parameters: readonly Parameter[];
  protected readonly attention: Attention<"variants">;
  protected readonly parts: Parts;

  /** `besides`: what is learnt besides W, U and v. */
  constructor(attention: Attention<"variants">, parts: Parts, besides: readonly Parameter[] = []) {
    const { query, key, v } = parts;
    this.attention = attention;
    this.parts = parts;
    this.parameters = [...query.parameters, ...key.parameters, v, ...besides];
  }

  abstract begin(memory: Memory): Attending;

  update(): void {
    this.parts.query.update();
    this.parts.key.update();
  }

  dispose(): void {
    this.parts.query.dispose();
    this.parts.key.dispose();
  }
}

export abstract class Stepping<Parts extends Scoring, Step> implements Attending {
  protected readonly attention: Attention<"variants">;
  protected readonly parts: Parts;
  protected readonly rows: Tensor;
  /** U h [B, S, hidden] */
  protected readonly keys: Tensor;
  /** Of U h, and of the memory by its weighted sums. */
  protected readonly gradients: { readonly key: Float32Array; readonly value: Float32Array };
  protected readonly steps: Step[] = [];

  constructor(attention: Attention<"variants">, parts: Parts, { rows, lengths, longest }: Memory) {
    const batch = lengths.length;
    this.attention = attention;
    this.parts = parts;
    this.rows = tensor(rows, [batch, longest, rows.length / batch / longest]);
    this.keys = tensor(parts.key.forward(rows), [batch, longest, parts.v.data.length]);
    this.gradients = {
      key: new Float32Array(this.keys.data.length),
      value: new Float32Array(rows.length),
    };
  }

  abstract step(
    state: Float32Array,
    record?: boolean,
  ): { context: Float32Array; weights: Float32Array };

  abstract backward(gradient: Float32Array): Float32Array;

  end(): Float32Array {
    const { query, key } = this.parts;
    const ofKeys = key.backward(this.rows.data, this.gradients.key);
    query.gather();
    key.gather();
    return add(this.gradients.value, ofKeys);
  }
}
