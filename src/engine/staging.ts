// One call's stay in linear memory: what is not there yet is copied into a single block,
// results leave it, and the block goes back to the arena whatever happens.
//
//   const staging = new Staging(engine, "attend");
//   staging.tensor(Slot.query, "query", query);          // note what is needed
//   const output = staging.output(Slot.output, dims, out);
//   try { kernel(staging.begin()); return yield* staging.take(output, dims); }
//   finally { staging.release(); }

import { Slot } from "../../assembly/frame";
import { ArgumentError } from "../errors";
import { AllocatedTensor, add, elementsOf, type Tensor } from "../tensor";
import { align } from "./arena";
import type { Engine } from "./load";
import type { Steps, Work } from "./work";

/** Copied at once: a fraction of a millisecond, or some of them where memory is touched first. */
const PAUSE_BYTES = 2 ** 20;

/** Items are counted in 32 bits, with room for what threads count past the end. */
const MOST_ITEMS = 2 ** 30;

const FRAME_BYTES = align(Slot.count * 4);

/** Plain numbers are integers of 32 bits. */
type Data = Float32Array | Uint8Array | Int32Array | readonly number[];

export interface Place {
  /** Where the frame wants the address, if it does. */
  readonly slot: Slot | undefined;
  readonly bytes: number;
  address: number;
}

interface Copy {
  readonly place: Place;
  readonly data: Data;
  /** A view of this very memory, which growth may detach: its offset is what counts. */
  readonly own: boolean;
  readonly offset: number;
}

export interface Output {
  readonly place: Place;
  readonly out: Float32Array | Tensor | undefined;
  /** Offset of `out` where it is a view of this very memory, else −1. */
  readonly own: number;
  /** Whether the result is added to what is in `out`. */
  readonly added: boolean;
}

export class Staging {
  readonly #engine: Engine;
  readonly #operation: string;
  readonly #places: Place[] = [];
  readonly #copies: Copy[] = [];
  /** Addresses of allocated tensors that are read while others may use the engine. */
  readonly #held: number[] = [];
  readonly #apart: boolean;
  #block = 0;
  #blockBytes = 0;
  #begun = false;

  /** `apart`: an allocated `out` is not written before `take`. */
  constructor(engine: Engine, operation: string, apart = engine.shared) {
    this.#engine = engine;
    this.#operation = operation;
    this.#apart = apart;
  }

  /** A tensor to read: in place if this engine allocated it, else copied in. */
  tensor(slot: Slot | undefined, argument: string, value: Tensor): Place {
    const address = this.#addressOf(argument, value);
    if (!address) return this.data(slot, value.data);
    return this.#read(slot, elementsOf(value.dims) * 4, address);
  }

  /** A block of the arena's to read. */
  block(slot: Slot, address: number): void {
    this.#read(slot, 0, address);
  }

  /** Plain data to read. */
  data(slot: Slot | undefined, data: Data): Place {
    const view = ArrayBuffer.isView(data);
    const place = this.#place(slot, view ? data.byteLength : data.length * 4, 0);
    const own = view && data.buffer === this.#engine.arena.buffer;
    this.#copies.push({ place, data, own, offset: own ? data.byteOffset : 0 });
    return place;
  }

  /** Room for what the kernel writes; `copy` gives it back. */
  room(slot: Slot, bytes: number): Place {
    return this.#place(slot, bytes, 0);
  }

  /**
   * Room for a result; an allocated `out` is written in place unless it overlaps an input or the
   * result is to be kept apart, or added to what is in it.
   */
  output(
    slot: Slot,
    dims: readonly number[],
    out: Float32Array | Tensor | undefined,
    argument = "out",
    added = false,
  ): Output {
    const bytes = elementsOf(dims) * 4;
    const address = this.#addressOf(argument, out);
    const overlaps = this.#places.some(
      // An address of 0 is not known yet, and will be apart.
      (input) =>
        input.address && input.address < address + bytes && address < input.address + input.bytes,
    );
    const data = out instanceof Float32Array ? out : out && !address ? out.data : undefined;
    const own = data?.buffer === this.#engine.arena.buffer ? data.byteOffset : -1;
    const apart = overlaps || added || this.#apart;
    return { place: this.#place(slot, bytes, apart ? 0 : address), out, own, added };
  }

  /**
   * Allocates what is missing, copies inputs in and writes the addresses into the frame; gives the
   * address of the call's own copy of the frame.
   */
  begin(): number {
    this.#allocate();
    for (const copy of this.#copies) this.#copyIn(copy);
    return this.#block;
  }

  /** `begin`, with pauses where others may use the engine. */
  *place(): Steps<number> {
    if (!this.#engine.shared) return this.begin();
    this.#allocate();
    for (const copy of this.#copies) {
      for (let at = 0; at < copy.place.bytes; at += PAUSE_BYTES) {
        this.#copyIn(copy, at, Math.min(at + PAUSE_BYTES, copy.place.bytes));
        yield;
      }
    }
    return this.#block;
  }

  /** The call that began, as work to be done. */
  work(work: Omit<Work, "call" | "move">): Work {
    if (work.items > MOST_ITEMS) {
      const expected = `at most ${MOST_ITEMS} tiles (long and short sequences in calls of their own)`;
      throw new ArgumentError(this.#operation, "query, key, value", expected, `${work.items}`);
    }
    // No getter: in an object literal it is a hidden class of its own for each call.
    const placed = {
      ...work,
      call: this.#block,
      move: () => {
        this.#move();
        placed.call = this.#block;
      },
    };
    return placed;
  }

  /** Begins anew in another block: a late worker's writes go to the old one. */
  #move(): void {
    const { arena, pool } = this.#engine;
    const left = this.#block;
    const end = left + this.#blockBytes;
    this.#block = 0;
    void pool?.quarantine(arena, left);
    this.#block = arena.allocate(this.#operation, this.#blockBytes);
    arena.bytes.copyWithin(this.#block, left, end);
    for (const place of this.#places) {
      if (place.address >= left && place.address < end) place.address += this.#block - left;
    }
    this.#writeAddresses();
  }

  /** A fresh copy of a result; with pauses where others may use the engine. */
  *copy(place: Place): Steps<Float32Array> {
    const { arena, shared } = this.#engine;
    const start = place.address / 4;
    const length = place.bytes / 4;
    if (!shared) return arena.floats.slice(start, start + length);
    const data = new Float32Array(length);
    for (let at = 0; at < length; at += PAUSE_BYTES / 4) {
      const end = Math.min(at + PAUSE_BYTES / 4, length);
      data.set(arena.floats.subarray(start + at, start + end), at);
      yield;
    }
    return data;
  }

  /** The result: in `out` where one was given, all of it at once. */
  *take({ place, out, own, added }: Output, dims: readonly number[]): Steps<Tensor> {
    if (!out) return { data: yield* this.copy(place), dims };
    const { bytes, floats } = this.#engine.arena;
    const address = this.#addressOf("out", out);
    const length = place.bytes / 4;
    const result = floats.subarray(place.address / 4, place.address / 4 + length);
    if (address && out instanceof AllocatedTensor) {
      if (added) add(floats.subarray(address / 4, address / 4 + length), result);
      else if (address !== place.address)
        bytes.copyWithin(address, place.address, place.address + place.bytes);
      return out;
    }
    const target =
      own >= 0
        ? floats.subarray(own / 4, own / 4 + length)
        : out instanceof Float32Array
          ? out
          : out.data;
    if (target.length !== length) {
      // What scoreMod threw away while the call ran.
      throw new ArgumentError(this.#operation, "out", `${length} elements`, `${target.length}`);
    }
    if (added) add(target, result);
    else target.set(result);
    return { data: target, dims };
  }

  release(): void {
    if (!this.#begun) return;
    const { arena } = this.#engine;
    for (const address of this.#held) arena.letGo(address);
    if (this.#block) arena.release(this.#block);
    this.#begun = false;
  }

  #allocate(): void {
    const { arena, frame } = this.#engine;
    let bytes = FRAME_BYTES;
    for (const place of this.#places) if (place.address === 0) bytes += align(place.bytes);
    this.#blockBytes = bytes;
    this.#block = arena.allocate(this.#operation, bytes);
    for (const address of this.#held) arena.hold(address);
    this.#begun = true;
    let next = this.#block + FRAME_BYTES;
    for (const place of this.#places) {
      if (place.address) continue;
      place.address = next;
      next += align(place.bytes);
    }
    arena.bytes.copyWithin(this.#block, frame, frame + FRAME_BYTES);
    this.#writeAddresses();
  }

  /** All of it, or bytes [from, to), multiples of four. */
  #copyIn({ place, data, own, offset }: Copy, from = 0, to = place.bytes): void {
    const { bytes, floats, words } = this.#engine.arena;
    const at = place.address + from;
    if (own) {
      bytes.copyWithin(at, offset + from, offset + to);
      return;
    }
    const size = data instanceof Uint8Array ? 1 : 4;
    const whole = to - from === place.bytes;
    // No view where none is needed: it costs more than the copy of a small tensor.
    const part = whole ? data : pieceOf(data, from / size, to / size);
    if (part instanceof Float32Array) floats.set(part, at / 4);
    else if (part instanceof Uint8Array) bytes.set(part, at);
    else words.set(part, at / 4);
  }

  #writeAddresses(): void {
    const { words } = this.#engine.arena;
    for (const { slot, address } of this.#places) {
      if (slot !== undefined) words[this.#block / 4 + slot] = address;
    }
  }

  /** What lies in a block of its own, which others must not get before the call ends. */
  #read(slot: Slot | undefined, bytes: number, address: number): Place {
    if (this.#engine.shared) this.#held.push(address);
    return this.#place(slot, bytes, address);
  }

  #place(slot: Slot | undefined, bytes: number, address: number): Place {
    const place = { slot, bytes, address };
    this.#places.push(place);
    return place;
  }

  #addressOf(argument: string, value: Float32Array | Tensor | undefined): number {
    return value instanceof AllocatedTensor
      ? value.addressIn(this.#engine.arena, this.#operation, argument)
      : 0;
  }
}

function pieceOf(data: Data, from: number, to: number): Data {
  return ArrayBuffer.isView(data) ? data.subarray(from, to) : data.slice(from, to);
}
