// A tensor in linear memory: a call with it copies nothing.

import { bufferOf } from "../arrays";
import { ArgumentError, DisposedError, describe } from "../errors";
import type { Arena } from "../memory/arena";
import { checkDims, elementsOf } from "./dims";
import { disposeSymbol } from "./disposal";
import { inspected, inspectSymbol } from "./printing";
import type { Tensor } from "./tensor";

/** Memory that a tensor and its views share; address 0 once it is given back. */
interface Block {
  address: number;
}

/**
 * A tensor in linear memory, from `attention.allocate(dims)`. `data` is a view taken anew on
 * each access: growing memory detaches old views, so do not keep it across calls.
 */
export class AllocatedTensor implements Tensor {
  /** @internal */
  static readonly name = "AllocatedTensor";
  #dims: readonly number[];
  /** A frozen array's elements take longer to multiply than a small call may. */
  #elements: number;
  #arena: Arena;
  #block: Block;
  /** From the start of the block, in bytes. */
  #offset: number;
  #owns: boolean;
  #gone = false;
  #data: Float32Array | undefined;

  /** @internal `dims` are checked; without a `block` it takes one of its own. */
  constructor(arena: Arena, dims: readonly number[], block?: Block, offset = 0) {
    this.#dims = Object.freeze(dims.slice());
    this.#elements = elementsOf(dims);
    this.#arena = arena;
    this.#owns = block === undefined;
    this.#block = block ?? { address: arena.allocate("allocate", this.#elements * 4) };
    this.#offset = offset;
    // Nobody gives it a `data` or `dims` that answer differently.
    Object.freeze(this);
  }

  /** @internal The value itself if it is one, also of a class that calls itself otherwise. */
  static from(value: object): AllocatedTensor | undefined {
    return #block in value ? value : undefined;
  }

  /** The size of each axis; not to be changed. */
  get dims(): readonly number[] {
    return this.#dims;
  }

  /**
   * The elements, in linear memory; not initialised.
   * @throws DisposedError after `dispose()`.
   */
  get data(): Float32Array {
    const address = this.address("data", "tensor");
    const { buffer } = this.#arena;
    if (!this.#data || bufferOf(this.#data) !== buffer)
      this.#data = new Float32Array(buffer, address, this.#elements);
    return this.#data;
  }

  /**
   * Part of it as a tensor, of the elements from `offset` on: the same memory, read and written in place.
   * It ends with the tensor that it is a view of; disposing it gives nothing back.
   *
   * @throws ArgumentError unless the part lies inside; DisposedError.
   */
  view(offset: number, dims: readonly number[]): AllocatedTensor {
    this.address("view", "tensor");
    const checked = checkDims("view", "dims", dims);
    const most = this.#elements - elementsOf(checked);
    if (most < 0) {
      const expected = `at most ${this.#elements} elements`;
      throw new ArgumentError("view", "dims", expected, describe(checked));
    }
    if (!Number.isInteger(offset) || offset < 0 || offset > most) {
      throw new ArgumentError("view", "offset", `an integer from 0 to ${most}`, describe(offset));
    }
    return new AllocatedTensor(this.#arena, checked, this.#block, this.#offset + offset * 4);
  }

  /** Gives the memory back; a second call does nothing. */
  dispose(): void {
    this.#gone = true;
    this.#data = undefined;
    if (!this.#owns || !this.#block.address) return;
    this.#arena.release(this.#block.address);
    this.#block.address = 0;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }

  /** Dims and elements. */
  toJSON(): object {
    return { dims: this.#dims, data: Array.from(this.data) };
  }

  /** @internal */
  [inspectSymbol](_depth: number, options: object, inspect?: never): unknown {
    const inUse = !this.#gone && this.#block.address && this.#arena.reserved;
    const shown = { dims: this.#dims, data: inUse ? this.data : "disposed" };
    return inspected("AllocatedTensor", shown, options, inspect);
  }

  /** @internal */
  get elements(): number {
    return this.#elements;
  }

  /** @internal Where it starts, in bytes. */
  address(operation: string, argument: string): number {
    if (this.#gone || !this.#block.address || !this.#arena.reserved)
      throw new DisposedError(operation, argument, "a tensor in use", "a disposed one");
    return this.#block.address + this.#offset;
  }

  /** @internal */
  isIn(arena: Arena): boolean {
    return arena === this.#arena;
  }
}
