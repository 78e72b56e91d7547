// A weight that is packed for linear: its sizes, its block, and what may be done with it.

import { ArgumentError, DisposedError, describe } from "../errors";
import { checkIdle, type Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { disposeSymbol } from "../tensor/disposal";
import { inspected, inspectSymbol } from "../tensor/printing";
import { checkDimsOf, checkOut, checkTensor, checkVector, type Tensor } from "../tensor/tensor";
import type { LinearOptions } from "./linear";
import { type Form, multiply, type Order, type Packed, type Packing, packing } from "./product";

/** A prepared weight, and what only it knows of itself. */
export interface PreparedParts {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly biased: boolean;
  readonly order: Order;
  /** Its block; throws unless it is in use. */
  packed(): number;
}

/** What a prepared weight is made of. */
export interface MadeWeight {
  readonly order: Order;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly biased: boolean;
  /** Its block, the weight's from now on. */
  readonly packed: number;
  /** Unless it is float32. */
  readonly form?: Form;
}

/** A weight matrix packed for `linear`. Made by `prepareLinear`, or of few bits by `prepareQuantized`. */
export class PreparedLinear {
  /** @internal */
  static readonly name = "PreparedLinear";
  #engine: Engine;
  #order: "out,in" | "in,out";
  #inputSize: number;
  #outputSize: number;
  #biased: boolean;
  #packed: number;
  #form: Form | undefined;

  /** @internal */
  constructor(engine: Engine, made: MadeWeight) {
    this.#engine = engine;
    this.#order = made.order;
    this.#inputSize = made.inputSize;
    this.#outputSize = made.outputSize;
    this.#biased = made.biased;
    this.#packed = made.packed;
    this.#form = made.form;
  }

  /** @internal The value itself if it is one. */
  static from(value: unknown): PreparedLinear | undefined {
    return typeof value === "object" && value !== null && #packed in value ? value : undefined;
  }

  /** Size of the last axis of x. */
  get inputSize(): number {
    return this.#inputSize;
  }

  /** Size of the last axis of the result. */
  get outputSize(): number {
    return this.#outputSize;
  }

  /** @internal What the rows of the matrix are, as it was given. */
  get order(): Order {
    return this.#order;
  }

  /** Dims of the matrix, as it was given. */
  get weightDims(): readonly number[] {
    const dims = [this.#outputSize, this.#inputSize];
    return this.#order === "out,in" ? dims : dims.reverse();
  }

  /** [out] where there is a bias. */
  get biasDims(): readonly number[] | undefined {
    return this.#biased ? [this.#outputSize] : undefined;
  }

  /**
   * Packs another weight of the same size and order, and another bias where there is one, in place.
   * Not while an asynchronous call uses it, nor from inside a scoreMod.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `prepareLinear`; nothing is changed then.
   */
  update(weight: Tensor, bias?: Float32Array | Tensor): void {
    this.updating("update", "", weight, bias).pack();
  }

  /** @internal What `update` will do, checked; `of` comes before the arguments' names. */
  updating(
    operation: string,
    of: string,
    weight: unknown,
    bias: unknown,
    order: unknown = this.#order,
  ): Packing {
    this.#inUse(this.#engine, operation);
    this.#checkFloats(operation, "prepared");
    checkIdle(this.#engine, operation);
    if (this.#engine.arena.isPinned(this.#packed)) {
      const expected = "a weight that no asynchronous call is using";
      throw new ArgumentError(operation, "prepared", expected, "one in use");
    }
    if (order !== this.#order) {
      const expected = `"${this.#order}", as it was prepared`;
      throw new ArgumentError(operation, `${of}order`, expected, describe(order));
    }
    const checked = checkTensor(operation, `${of}weight`, weight);
    checkDimsOf(operation, `${of}weight`, checked, this.weightDims);
    if ((bias !== undefined) !== this.#biased) {
      const expected = this.#biased
        ? "a bias, as prepareLinear had"
        : "no bias, as in prepareLinear";
      throw new ArgumentError(operation, `${of}bias`, expected, describe(bias));
    }
    const vector = this.#biased
      ? checkVector(operation, `${of}bias`, bias, this.#outputSize)
      : undefined;
    const [depth, columns] = [this.#inputSize, this.#outputSize];
    const given = { weight: checked, order: this.#order, depth, columns, bias: vector };
    return packing(this.#engine, operation, this.#packed, given);
  }

  /** @internal */
  *apply(
    engine: Engine,
    operation: string,
    x: Tensor,
    options: LinearOptions,
    name = "x",
  ): Steps<Tensor> {
    const input = checkTensor(operation, name, x);
    this.#inUse(engine, operation);
    const [depth, columns] = [this.#inputSize, this.#outputSize];
    if (input.dims.at(-1) !== depth) {
      const expected = `[…, in] with in = ${depth}`;
      throw new ArgumentError(operation, `${name}.dims`, expected, describe(input.dims));
    }
    const dims = [...input.dims.slice(0, -1), columns];
    const out = checkOut(operation, options.out, dims);
    const rows = elementsOf(dims) / columns;
    const product = { name, x: input, rows, depth, columns };
    // What a getter disposed while the arguments were read.
    this.#inUse(engine, operation);
    const target = { dims, out, argument: "out" };
    return yield* multiply(engine, operation, product, this.#block(), target);
  }

  /** @internal Its block and form, checked to be in use. */
  block(engine: Engine, operation: string, argument = "prepared"): Packed {
    this.#inUse(engine, operation, argument);
    return this.#block();
  }

  #block(): Packed {
    return { address: this.#packed, form: this.#form };
  }

  /** @internal What only it knows of itself; its block throws unless it is in use. */
  parts(engine: Engine, operation: string, argument = "prepared"): PreparedParts {
    this.#checkFloats(operation, argument);
    return {
      inputSize: this.#inputSize,
      outputSize: this.#outputSize,
      biased: this.#biased,
      order: this.#order,
      packed: () => {
        this.#inUse(engine, operation);
        return this.#packed;
      },
    };
  }

  #checkFloats(operation: string, argument: string): void {
    if (!this.#form) return;
    const expected = "a weight of float32, from prepareLinear";
    throw new ArgumentError(operation, argument, expected, `one of ${this.#form.numbers}`);
  }

  #inUse(engine: Engine, operation: string, argument = "prepared"): void {
    if (!this.#packed || !this.#engine.arena.reserved)
      throw new DisposedError(operation, argument, "a weight in use", "a disposed one");
    if (engine !== this.#engine) {
      throw new ArgumentError(operation, argument, "a weight of this engine", "one of another");
    }
  }

  /** Gives the memory back; a second call does nothing. */
  dispose(): void {
    if (this.#packed) this.#engine.arena.release(this.#packed);
    this.#packed = 0;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }

  /** Its sizes; the numbers are packed for the kernels. */
  toJSON(): object {
    return {
      inputSize: this.#inputSize,
      outputSize: this.#outputSize,
      order: this.#order,
      bias: this.#biased,
      ...(this.#form && { numbers: this.#form.numbers }),
    };
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    return inspected("PreparedLinear", this.toJSON(), options, inspect);
  }
}

export function checkPrepared(
  operation: string,
  prepared: unknown,
  argument = "prepared",
): PreparedLinear {
  const found = PreparedLinear.from(prepared);
  if (found) return found;
  const expected = "a weight from prepareLinear";
  throw new ArgumentError(operation, argument, expected, describe(prepared));
}
