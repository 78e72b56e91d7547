// Projections: x · W + bias, with W packed once.

import { type Attention, checkAttention } from "../attend/attention";
import type { Abortable } from "../attend/options";
import { reader } from "../check/names";
import { ArgumentError, DisposedError, describe } from "../errors";
import { checkIdle, type Engine } from "../instance/instance";
import type { Steps } from "../run/steps";
import { elementsOf } from "../tensor/dims";
import { disposeSymbol } from "../tensor/disposal";
import { inspected, inspectSymbol } from "../tensor/printing";
import { checkDimsOf, checkOut, checkTensor, checkVector, type Tensor } from "../tensor/tensor";
import { allocatePacked, multiply, type Order, type Packing, packing } from "./product";

/** Options of `prepareLinear`. */
export interface PrepareOptions {
  /** What the rows of the matrix are: [out, in] (PyTorch) or [in, out] (Keras, plain x·W). */
  order: "out,in" | "in,out";
  /** One number for each output. */
  bias?: Float32Array | Tensor | undefined;
}

/** Options of `linear`. */
export interface LinearOptions {
  /** Where to write the result: as many elements as it has. It may overlap x. */
  out?: Float32Array | Tensor | undefined;
}

const readPrepare = reader<PrepareOptions>({ order: 1, bias: 1 });
const readLinear = reader<LinearOptions>({ out: 1 });
const readLinearAsync = reader<LinearOptions & Abortable>({ out: 1, signal: 1 });

/** A prepared weight, and what only it knows of itself. */
export interface PreparedParts {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly biased: boolean;
  readonly order: Order;
  /** Its block; throws unless it is in use. */
  packed(): number;
}

/** A weight matrix packed for `linear`. Made by `prepareLinear`. */
export class PreparedLinear {
  /** @internal */
  static readonly name = "PreparedLinear";
  #engine: Engine;
  #order: "out,in" | "in,out";
  #inputSize: number;
  #outputSize: number;
  #biased: boolean;
  #packed = 0;

  /** @internal Options as they were read; `of` and a dot come before the names of the arguments. */
  constructor(
    engine: Engine,
    operation: string,
    weight: Tensor,
    { order, bias }: PrepareOptions,
    of = "",
  ) {
    if (order !== "out,in" && order !== "in,out") {
      throw new ArgumentError(operation, `${of}order`, '"out,in" or "in,out"', describe(order));
    }
    const checked = checkTensor(operation, `${of}weight`, weight);
    const [rows = 0, columns = 0] = checked.dims;
    if (checked.dims.length !== 2 || rows < 1 || columns < 1) {
      throw new ArgumentError(
        operation,
        `${of}weight.dims`,
        `[${order}], each at least 1`,
        describe(checked.dims),
      );
    }
    const [outputs, inputs] = order === "out,in" ? [rows, columns] : [columns, rows];
    this.#outputSize = outputs;
    this.#inputSize = inputs;
    const vector = bias === undefined ? bias : checkVector(operation, `${of}bias`, bias, outputs);

    this.#engine = engine;
    this.#order = order;
    this.#biased = vector !== undefined;
    const packed = allocatePacked(engine, operation, inputs, outputs);
    try {
      this.#packing(operation, packed, checked, vector).pack();
      this.#packed = packed;
    } finally {
      if (!this.#packed) engine.arena.release(packed);
    }
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
    return this.#packing(operation, this.#packed, checked, vector);
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
    return yield* multiply(engine, operation, product, this.#packed, target);
  }

  /** @internal What only it knows of itself; its block throws unless it is in use. */
  parts(engine: Engine, operation: string): PreparedParts {
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

  #packing(operation: string, packed: number, weight: Tensor, bias?: Tensor): Packing {
    const [depth, columns, order] = [this.#inputSize, this.#outputSize, this.#order];
    return packing(this.#engine, operation, packed, { weight, order, depth, columns, bias });
  }

  #inUse(engine: Engine, operation: string): void {
    if (!this.#packed || !this.#engine.arena.reserved)
      throw new DisposedError(operation, "prepared", "a weight in use", "a disposed one");
    if (engine !== this.#engine) {
      throw new ArgumentError(operation, "prepared", "a weight of this engine", "one of another");
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
    };
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    return inspected("PreparedLinear", this.toJSON(), options, inspect);
  }
}

/**
 * Packs a weight matrix and its bias for `linear`: [out, in] with order `"out,in"` (PyTorch) or
 * [in, out] with `"in,out"` (Keras, plain x·W). It lies in linear memory until disposed.
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function prepareLinear(
  attention: Attention,
  weight: Tensor,
  options: PrepareOptions,
): PreparedLinear {
  const name = "prepareLinear";
  const engine = checkAttention(name, attention).running(name);
  return new PreparedLinear(engine, name, weight, readPrepare(name, options));
}

/**
 * x · W + bias over the last axis: [..., in] → [..., out].
 *
 * @throws ArgumentError, MemoryError, DisposedError as `attend`.
 */
export function linear(
  attention: Attention,
  x: Tensor,
  prepared: PreparedLinear,
  options: LinearOptions = {},
): Tensor {
  const name = "linear";
  return checkAttention(name, attention).run(name, (engine) =>
    checkPrepared(name, prepared).apply(engine, name, x, readLinear(name, options)),
  );
}

/** `linear` without holding the calling thread; see `attendAsync`. */
export function linearAsync(
  attention: Attention,
  x: Tensor,
  prepared: PreparedLinear,
  options: LinearOptions & Abortable = {},
): Promise<Tensor> {
  const name = "linearAsync";
  return checkAttention(name, attention).runAsync(name, () => {
    const { signal, ...read } = readLinearAsync(name, options);
    const weight = checkPrepared(name, prepared);
    const input = checkTensor(name, "x", x);
    return { signal, steps: (engine) => weight.apply(engine, name, input, read) };
  });
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
