// One call's stay in linear memory: what is not there yet is copied into a single block,
// results leave it, and the block goes back to the arena whatever happens.
//
//   const staging = new Staging(engine, "attend");
//   staging.tensor(AttendFrame.query, "query", query);          // note what is needed
//   const output = staging.output(AttendFrame.output, dims, out);
//   try { kernel(staging.begin()); return yield* staging.result(output); }
//   finally { staging.release(); }

import { bufferOf, byteOffsetOf, kindOf, lengthOf } from "../arrays";
import { ArgumentError, DisposedError } from "../errors";
import { type Engine, FRAME_WORDS } from "../instance/instance";
import { align } from "../memory/arena";
import { AllocatedTensor } from "../tensor/allocated";
import { elementsOf } from "../tensor/dims";
import { add, set, type Tensor } from "../tensor/tensor";
import {
  type Copy,
  copyIn,
  copySteps,
  type Data,
  lengthChanged,
  type Output,
  PAUSE_BYTES,
  type Region,
} from "./copy";
import type { Steps, Work } from "./steps";

export type { Output, Region } from "./copy";

/** Items are counted in 32 bits, and threads count past the end. */
const MOST_ITEMS = 2 ** 30;

const FRAME_BYTES = align(FRAME_WORDS * 4);

export class Staging {
  readonly #engine: Engine;
  readonly operation: string;
  readonly #regions: Region[] = [];
  readonly #copies: Copy[] = [];
  readonly #parts: { slot: number; region: Region; offset: number }[] = [];
  /** Blocks that are read or written to while others may use the engine. */
  readonly #pinned: number[] = [];
  readonly #deferred: boolean;
  #block = 0;
  #blockBytes = 0;
  #begun = false;

  /** `deferred`: an `out` in this memory is not written before `result`. */
  constructor(engine: Engine, operation: string, deferred = engine.concurrent) {
    this.#engine = engine;
    this.operation = operation;
    this.#deferred = deferred;
  }

  /** Bytes that are missing in this memory. */
  get bytes(): number {
    let bytes = FRAME_BYTES;
    for (const region of this.#regions) if (region.address === 0) bytes += align(region.bytes);
    return bytes;
  }

  /** A checked tensor to read: in place if it lies in this memory, else copied in; or its address. */
  tensor(slot: number | undefined, argument: string, value: Tensor | number): Region {
    if (typeof value === "number") return this.block(slot, value);
    if (value instanceof AllocatedTensor)
      return this.#read(slot, argument, value, value.elements * 4);
    return this.#read(slot, argument, value.data, elementsOf(value.dims) * 4);
  }

  /** Part of a tensor that is read already, so many bytes from its start. */
  within(slot: number, region: Region, offset: number): void {
    this.#parts.push({ slot, region, offset });
  }

  /** A block of the arena's to read. */
  block(slot: number | undefined, address: number): Region {
    this.#pin(address);
    return this.#region(slot, 0, address);
  }

  /** Plain data to read, of as many elements as were checked. */
  data(slot: number | undefined, argument: string, data: Data, elements: number): Region {
    return this.#read(slot, argument, data, elements * (kindOf(data) === "Uint8Array" ? 1 : 4));
  }

  /** A region that the kernel writes; `copy` gives its content. */
  reserve(slot: number | undefined, bytes: number): Region {
    return this.#region(slot, bytes, 0);
  }

  /**
   * The region of a result; an `out` in this memory is written in place unless it overlaps an input or the
   * result is deferred, or added to what is in it.
   */
  output(
    slot: number | undefined,
    dims: readonly number[],
    out: Tensor | undefined,
    argument = "out",
    added = false,
  ): Output {
    const bytes = elementsOf(dims) * 4;
    const to = out instanceof AllocatedTensor ? out : out?.data;
    const address = to ? this.#addressOf(argument, to, bytes) : 0;
    const end = address + bytes;
    const deferred =
      added ||
      this.#deferred ||
      this.#regions.some(
        (input) => input.address && input.address < end && address < input.address + input.bytes,
      );
    if (address && deferred) this.#pin(address);
    const region = this.#region(slot, bytes, deferred ? 0 : address);
    return { region, dims, argument, out, address, added };
  }

  /**
   * Allocates what is missing, copies inputs in and writes the addresses into the frame; gives the
   * address of the call's own copy of the frame.
   */
  begin(): number {
    this.#allocate();
    for (const copy of this.#copies) copyIn(this.#engine.arena, this.operation, copy);
    return this.#block;
  }

  /** `begin` as steps, with pauses where others may use the engine. */
  *beginSteps(): Steps<number> {
    if (!this.#engine.concurrent) return this.begin();
    this.#allocate();
    for (const copy of this.#copies) yield* copySteps(this.#engine, this.operation, copy);
    return this.#block;
  }

  /** The call that began, as work to be done. */
  work(
    { module, kernel }: Pick<Work, "module" | "kernel">,
    items: number,
    threads: number,
    around?: Work["around"],
  ): Work {
    if (items > MOST_ITEMS) {
      const expected = `at most ${MOST_ITEMS} tiles (long and short sequences in calls of their own)`;
      throw new ArgumentError(this.operation, "query, key, value", expected, `${items}`);
    }
    // Neither a getter nor a spread: each makes a hidden class of its own for every call.
    const staged = {
      module,
      kernel,
      items,
      threads,
      around,
      call: this.#block,
      move: () => {
        this.#move();
        staged.call = this.#block;
      },
    };
    return staged;
  }

  /** Begins anew in another block: a late worker's writes go to the old one. */
  #move(): void {
    const { arena, pool } = this.#engine;
    const left = this.#block;
    const end = left + this.#blockBytes;
    this.#block = 0;
    void pool?.quarantine(arena, left);
    this.#block = arena.allocate(this.operation, this.#blockBytes);
    arena.bytes.copyWithin(this.#block, left, end);
    for (const region of this.#regions) {
      if (region.address >= left && region.address < end) region.address += this.#block - left;
    }
    this.#writeAddresses();
  }

  /** A fresh copy of a result; with pauses where others may use the engine. */
  *copy(region: Region): Steps<Float32Array> {
    const { arena, concurrent } = this.#engine;
    const start = region.address / 4;
    const length = region.bytes / 4;
    if (!concurrent) return arena.floats.slice(start, start + length);
    const data = new Float32Array(length);
    for (let at = 0; at < length; at += PAUSE_BYTES / 4) {
      const end = Math.min(at + PAUSE_BYTES / 4, length);
      data.set(arena.floats.subarray(start + at, start + end), at);
      yield;
    }
    return data;
  }

  /** The results: those without an `out` first, so that a call that fails has written nothing. */
  *results(outputs: readonly Output[]): Steps<Tensor[]> {
    const results: Tensor[] = [];
    for (const given of [false, true]) {
      for (const [index, output] of outputs.entries()) {
        if ((output.out !== undefined) === given) results[index] = yield* this.result(output);
      }
    }
    return results;
  }

  /** The result: in `out` where one was given, all of it at once. */
  *result({ region, dims, argument, out, address, added }: Output): Steps<Tensor> {
    if (!out) return { data: yield* this.copy(region), dims: dims.slice() };
    const { buffer, bytes, floats } = this.#engine.arena;
    const length = region.bytes / 4;
    const at = (from: number) => floats.subarray(from / 4, from / 4 + length);
    const allocated = out instanceof AllocatedTensor;
    // What scoreMod threw away while the call ran.
    if (allocated) out.address(this.operation, argument);
    if (address) {
      if (added) add(at(address), at(region.address));
      else if (address !== region.address)
        bytes.copyWithin(address, region.address, region.address + region.bytes);
      if (allocated) return out;
      const stale = bufferOf(out.data) !== buffer;
      return { data: stale ? at(address) : out.data, dims: dims.slice() };
    }
    const target = out.data;
    if (lengthOf(target) !== length) throw lengthChanged(this.operation, argument, target, length);
    if (added) add(target, at(region.address));
    else set(target, at(region.address));
    return { data: target, dims: dims.slice() };
  }

  release(): void {
    if (!this.#begun) return;
    const { arena } = this.#engine;
    for (const address of this.#pinned) arena.unpin(address);
    if (this.#block) arena.release(this.#block);
    this.#begun = false;
  }

  #allocate(): void {
    const { arena, frame } = this.#engine;
    this.#blockBytes = this.bytes;
    this.#block = arena.allocate(this.operation, this.#blockBytes);
    for (const address of this.#pinned) arena.pin(address);
    this.#begun = true;
    let next = this.#block + FRAME_BYTES;
    for (const region of this.#regions) {
      if (region.address) continue;
      region.address = next;
      next += align(region.bytes);
    }
    arena.bytes.copyWithin(this.#block, frame, frame + FRAME_BYTES);
    this.#writeAddresses();
  }

  #writeAddresses(): void {
    const { words } = this.#engine.arena;
    const at = this.#block / 4;
    for (const { slot, address } of this.#regions)
      if (slot !== undefined) words[at + slot] = address;
    for (const { slot, region, offset } of this.#parts) words[at + slot] = region.address + offset;
  }

  /** Pins a block until the call ends. */
  #pin(address: number): void {
    if (this.#engine.concurrent) this.#pinned.push(this.#engine.arena.blockOf(address));
  }

  #read(slot: number | undefined, argument: string, given: Copy["from"], bytes: number): Region {
    const address = this.#addressOf(argument, given, bytes);
    const region = this.#region(slot, bytes, address);
    if (address) this.#pin(address);
    else this.#copies.push({ region, argument, from: given });
    return region;
  }

  #region(slot: number | undefined, bytes: number, address: number): Region {
    const region = { slot, bytes, address };
    this.#regions.push(region);
    return region;
  }

  /** Where it lies in this memory, an allocated tensor or a view of one; else 0. */
  #addressOf(argument: string, given: Copy["from"], bytes: number): number {
    const { arena } = this.#engine;
    if (given instanceof AllocatedTensor) {
      const address = given.address(this.operation, argument);
      return given.isIn(arena) ? address : 0;
    }
    if (Array.isArray(given) || bytes === 0) return 0;
    const view = given as Float32Array;
    if (bufferOf(view) !== arena.buffer) return 0;
    const [kind, address] = [kindOf(view), byteOffsetOf(view)];
    if (kind === "Float16Array")
      throw new ArgumentError(this.operation, argument, "float32 in linear memory", kind);
    if (arena.inUse(address, address + bytes)) return address;
    const received = "a view of a disposed tensor";
    throw new DisposedError(this.operation, argument, "memory in use", received);
  }
}
