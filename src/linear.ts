// Projections: x · W + bias, with W packed once.

import { disposeSymbol } from "./disposal";
import type { Engine } from "./engine/load";
import type { Steps } from "./engine/work";
import { ArgumentError, DisposedError, describe } from "./errors";
import {
  type LinearBackwardOptions,
  type LinearGradients,
  linearBackward,
} from "./linear-backward";
import { reader } from "./option-names";
import { allocatePacked, multiply, pack } from "./product";
import { checkData, checkDimsOf, checkOut, checkTensor, elementsOf, type Tensor } from "./tensor";

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

export const readPrepare = reader<PrepareOptions>({ order: 1, bias: 1 });
export const readLinear = reader<LinearOptions>({ out: 1 });

/** A weight matrix packed for `attention.linear`. Made by `attention.prepareLinear`. */
export class PreparedLinear {
  /** Size of the last axis of x. */
  readonly inputSize: number;
  /** Size of the last axis of the result. */
  readonly outputSize: number;
  #engine: Engine;
  #order: "out,in" | "in,out";
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
    [this.outputSize, this.inputSize] = order === "out,in" ? [rows, columns] : [columns, rows];
    const biasData = checkBias(operation, `${of}bias`, bias, this.outputSize);

    this.#engine = engine;
    this.#order = order;
    this.#biased = biasData !== undefined;
    const { inputSize, outputSize } = this;
    const packed = allocatePacked(engine, operation, inputSize, outputSize);
    try {
      this.#pack(operation, packed, checked, biasData);
      this.#packed = packed;
    } finally {
      if (!this.#packed) engine.arena.release(packed);
    }
  }

  /** Dims of the matrix, as it was given. */
  get weightDims(): readonly number[] {
    const { inputSize, outputSize } = this;
    return this.#order === "out,in" ? [outputSize, inputSize] : [inputSize, outputSize];
  }

  /** [out] where there is a bias. */
  get biasDims(): readonly number[] | undefined {
    return this.#biased ? [this.outputSize] : undefined;
  }

  /**
   * Packs another weight of the same size and order, and another bias where there is one, in place.
   * Not while an asynchronous call uses it.
   *
   * @throws ArgumentError, MemoryError, DisposedError as `prepareLinear`; nothing is changed then.
   */
  update(weight: Tensor, bias?: Float32Array | Tensor): void {
    const operation = "update";
    this.#inUse(this.#engine, operation);
    const checked = checkTensor(operation, "weight", weight);
    checkDimsOf(operation, "weight", checked, this.weightDims);
    const data = checkBias(operation, "bias", bias, this.outputSize);
    if ((data !== undefined) !== this.#biased) {
      const expected = this.#biased
        ? "a bias, as prepareLinear had"
        : "no bias, as in prepareLinear";
      throw new ArgumentError(operation, "bias", expected, describe(bias));
    }
    this.#pack(operation, this.#packed, checked, data);
  }

  /** @internal */
  *apply(
    engine: Engine,
    operation: string,
    x: Tensor,
    { out }: LinearOptions,
    name = "x",
  ): Steps<Tensor> {
    const input = checkTensor(operation, name, x);
    this.#inUse(engine, operation);
    const size = input.dims.at(-1);
    if (size !== this.inputSize) {
      throw new ArgumentError(
        operation,
        `${name}.dims`,
        `[…, in] with in = ${this.inputSize}`,
        describe(input.dims),
      );
    }
    const dims = [...input.dims.slice(0, -1), this.outputSize];
    checkOut(operation, out, dims);

    const { inputSize: depth, outputSize: columns } = this;
    const rows = elementsOf(dims) / columns;
    const place = { dims, out, argument: "out" };
    return yield* multiply(
      engine,
      operation,
      { name, x: input, rows, depth, columns },
      this.#packed,
      place,
    );
  }

  /** @internal Gradients of the weight and bias, and of x unless it is not wanted. */
  *applyBackward(
    engine: Engine,
    operation: string,
    outputGradient: Tensor,
    x: Tensor,
    options: LinearBackwardOptions,
  ): Steps<LinearGradients> {
    this.#inUse(engine, operation);
    const prepared = { linear: this, order: this.#order, packed: this.#packed };
    return yield* linearBackward(engine, operation, outputGradient, x, prepared, options);
  }

  #pack(operation: string, packed: number, weight: Tensor, bias?: Tensor): void {
    const { inputSize: depth, outputSize: columns } = this;
    pack(this.#engine, operation, packed, { weight, order: this.#order, depth, columns, bias });
  }

  #inUse(engine: Engine, operation: string): void {
    if (!this.#packed)
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
}

function checkBias(
  operation: string,
  argument: string,
  bias: Float32Array | Tensor | undefined,
  size: number,
): Tensor | undefined {
  if (bias === undefined) return undefined;
  const plain = bias instanceof Float32Array;
  const checked = plain ? { data: bias, dims: [size] } : checkTensor(operation, argument, bias);
  checkData(operation, argument, checked.data, [size]);
  return checked;
}

export function checkPrepared(operation: string, prepared: unknown): PreparedLinear {
  if (prepared instanceof PreparedLinear) return prepared;
  const expected = "a weight from prepareLinear";
  throw new ArgumentError(operation, "prepared", expected, describe(prepared));
}
