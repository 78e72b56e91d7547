// Projections: x · W + bias, with W packed once.

import { Slot } from "../assembly/frame";
import { checkOptions } from "./checks";
import { disposeSymbol } from "./disposal";
import { Kernel } from "./engine/control";
import { type Engine, frameWords } from "./engine/load";
import { Staging } from "./engine/staging";
import { type Steps, threadsFor } from "./engine/work";
import { ArgumentError, DisposedError, describe } from "./errors";
import { checkData, checkOut, checkTensor, elementsOf, type Tensor } from "./tensor";

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

/** A weight matrix packed for `attention.linear`. Made by `attention.prepareLinear`. */
export class PreparedLinear {
  /** Size of the last axis of x. */
  readonly inputSize: number;
  /** Size of the last axis of the result. */
  readonly outputSize: number;
  #engine: Engine;
  #packed = 0;

  /** @internal */
  constructor(engine: Engine, weight: Tensor, options: PrepareOptions) {
    const operation = "prepareLinear";
    checkOptions(operation, options);
    const { order, bias } = options;
    if (order !== "out,in" && order !== "in,out") {
      throw new ArgumentError(operation, "order", '"out,in" or "in,out"', describe(order));
    }
    const checked = checkTensor(operation, "weight", weight);
    const [rows = 0, columns = 0] = checked.dims;
    if (checked.dims.length !== 2 || rows < 1 || columns < 1) {
      throw new ArgumentError(
        operation,
        "weight.dims",
        `[${order}], each at least 1`,
        describe(checked.dims),
      );
    }
    [this.outputSize, this.inputSize] = order === "out,in" ? [rows, columns] : [columns, rows];
    const biasData =
      bias === undefined || bias instanceof Float32Array
        ? bias
        : checkTensor(operation, "bias", bias).data;
    if (biasData) checkData(operation, "bias", biasData, [this.outputSize]);

    this.#engine = engine;
    const { arena, frame, kernels } = engine;
    const words = frameWords(engine);
    words[Slot.depth] = this.inputSize;
    words[Slot.columns] = this.outputSize;
    words[Slot.outputIsRow] = order === "out,in" ? 1 : 0;
    const packed = arena.allocate(operation, kernels.packedLinearBytes(frame));
    const staging = new Staging(engine, operation);
    staging.block(Slot.packed, packed);
    staging.tensor(Slot.weight, "weight", checked);
    if (biasData) staging.data(Slot.bias, biasData);
    try {
      kernels.packLinear(staging.begin());
      this.#packed = packed;
    } finally {
      staging.release();
      if (!this.#packed) arena.release(packed);
    }
  }

  /** @internal */
  *apply(engine: Engine, x: Tensor, options: LinearOptions): Steps<Tensor> {
    checkOptions("linear", options);
    const { out } = options;
    const input = checkTensor("linear", "x", x);
    if (!this.#packed)
      throw new DisposedError("linear", "prepared", "a weight in use", "a disposed one");
    if (engine !== this.#engine) {
      throw new ArgumentError("linear", "prepared", "a weight of this engine", "one of another");
    }
    const size = input.dims.at(-1);
    if (size !== this.inputSize) {
      throw new ArgumentError(
        "linear",
        "x.dims",
        `[…, in] with in = ${this.inputSize}`,
        describe(input.dims),
      );
    }
    const dims = [...input.dims.slice(0, -1), this.outputSize];
    checkOut("linear", out, dims);

    const { frame, kernels } = engine;
    const words = frameWords(engine);
    const rows = elementsOf(dims) / this.outputSize;
    const threads = threadsFor(engine, rows * this.inputSize * this.outputSize);
    words[Slot.threads] = threads;
    words[Slot.rows] = rows;
    words[Slot.depth] = this.inputSize;
    words[Slot.columns] = this.outputSize;
    const staging = new Staging(engine, "linear", engine.shared || threads > 1);
    staging.block(Slot.packed, this.#packed);
    staging.tensor(Slot.input, "x", input);
    const result = staging.output(Slot.result, dims, out);
    staging.room(Slot.scratch, kernels.linearScratchBytes(frame));
    try {
      const call = yield* staging.place();
      yield staging.work({ kernel: Kernel.linear, items: kernels.linearItems(call), threads });
      return yield* staging.take(result, dims);
    } finally {
      staging.release();
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
