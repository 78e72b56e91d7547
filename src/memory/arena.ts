// Linear memory: a free list that coalesces, for allocated tensors, prepared weights and
// the one block that a call takes for as long as it runs.
//
//   0        heapBase                                          reserved
//   ├ constants ┼ block │ free │ block │ block │ free ─────────┤
//
// Blocks start at multiples of 64 bytes (a cache line). The list of free ranges is
// here, in order of address; nothing but tensors lies in linear memory. Growth is by what
// is missing after the last free range, never by doubling. Growing plain memory detaches
// every view, so views are taken anew then.

import { MemoryError } from "../errors";

const ALIGNMENT = 64;
const PAGE = 65536;
const GONE: ArrayBufferLike = new ArrayBuffer(0);

interface Range {
  start: number;
  end: number;
}

/** Linear memory in bytes. */
export interface MemoryFigures {
  /** In allocated tensors, prepared weights and layers, and during a call in its scratch. */
  readonly used: number;
  /** Taken from the system. */
  readonly reserved: number;
  /** What `reserved` may grow to. */
  readonly maximum: number;
}

export class Arena {
  /** Most bytes this memory may come to hold. */
  readonly maximum: number;
  /** Bytes in blocks. */
  used = 0;
  readonly #heapBase: number;
  #memory: WebAssembly.Memory | undefined;
  #free: Range[];
  #blocks = new Map<number, number>();
  /** Blocks that calls in flight use, by how many; what is released meanwhile. */
  #pinned = new Map<number, number>();
  #releasedWhilePinned = new Set<number>();
  #buffer: ArrayBufferLike;
  #words!: Int32Array;
  #floats!: Float32Array;
  #bytes!: Uint8Array;

  constructor(memory: WebAssembly.Memory, heapBase: number, maximum: number) {
    this.#memory = memory;
    this.maximum = maximum;
    this.#heapBase = heapBase;
    this.#buffer = memory.buffer;
    this.#renewViews(memory.buffer);
    this.#free = [{ start: align(heapBase), end: this.reserved }];
  }

  /** Linear memory as it is now: another object after each growth, empty once disposed. */
  get buffer(): ArrayBufferLike {
    return this.#buffer;
  }

  /** Bytes of linear memory taken from the system. */
  get reserved(): number {
    return this.buffer.byteLength;
  }

  /** All of linear memory as int32. Valid until the next allocation. */
  get words(): Int32Array {
    return this.#words;
  }

  /** All of linear memory as float32. Valid until the next allocation. */
  get floats(): Float32Array {
    return this.#floats;
  }

  /** All of linear memory as bytes. Valid until the next allocation. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Address of a block of at least `bytes`; its content is whatever lay there. */
  allocate(operation: string, bytes: number): number {
    const size = Math.max(align(bytes), ALIGNMENT);
    let range = this.#fitting(size);
    if (!range) {
      this.#grow(operation, size);
      range = this.#fitting(size) as Range;
    }
    const address = range.start;
    range.start += size;
    if (range.start === range.end) this.#free.splice(this.#free.indexOf(range), 1);
    this.#blocks.set(address, size);
    this.used += size;
    return address;
  }

  /** Gives a block back and joins it with free neighbours. */
  release(address: number): void {
    if (this.#pinned.has(address)) {
      this.#releasedWhilePinned.add(address);
      return;
    }
    const size = this.#blocks.get(address);
    if (size === undefined) return;
    this.#blocks.delete(address);
    this.used -= size;
    const end = address + size;
    let next = this.#free.findIndex((range) => range.start >= end);
    if (next < 0) next = this.#free.length;
    const after = this.#free[next];
    const before = this.#free[next - 1];
    const joinsBefore = before?.end === address;
    const joinsAfter = after?.start === end;
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      this.#free.splice(next, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsAfter) after.start = address;
    else this.#free.splice(next, 0, { start: address, end });
  }

  /** Whether all of [start, end) lies in blocks: nothing else may be read or written in place. */
  inUse(start: number, end: number): boolean {
    if (start < this.#heapBase || end > this.reserved) return false;
    return this.#free.every((range) => range.end <= start || end <= range.start);
  }

  /** Address of the block that holds `address`. */
  blockOf(address: number): number {
    for (const [start, size] of this.#blocks)
      if (start <= address && address < start + size) return start;
    return 0;
  }

  /** Whether a call in flight uses the block. */
  isPinned(address: number): boolean {
    return this.#pinned.has(address);
  }

  /** Reserves a block until `unpin`, even if it is released before. */
  pin(address: number): void {
    this.#pinned.set(address, (this.#pinned.get(address) ?? 0) + 1);
  }

  unpin(address: number): void {
    const pins = (this.#pinned.get(address) ?? 1) - 1;
    if (pins) this.#pinned.set(address, pins);
    else {
      this.#pinned.delete(address);
      if (this.#releasedWhilePinned.delete(address)) this.release(address);
    }
  }

  /** Lets go of the memory and of every view of it. */
  dispose(): void {
    this.#memory = undefined;
    this.#blocks.clear();
    this.#pinned.clear();
    this.#releasedWhilePinned.clear();
    this.#renewViews(GONE);
  }

  /** The smallest free range that fits, so that large ones stay whole. */
  #fitting(size: number): Range | undefined {
    let best: Range | undefined;
    for (const range of this.#free) {
      const length = range.end - range.start;
      if (length >= size && (!best || length < best.end - best.start)) best = range;
    }
    return best;
  }

  #grow(operation: string, size: number): void {
    const reserved = this.reserved;
    const last = this.#free[this.#free.length - 1];
    const atEnd = last?.end === reserved ? last : undefined;
    const missing = size - (atEnd ? atEnd.end - atEnd.start : 0);
    const pages = Math.ceil(missing / PAGE);
    try {
      if (reserved + pages * PAGE > this.maximum) throw new RangeError("over maximumMemory");
      this.#memory?.grow(pages);
    } catch {
      throw new MemoryError(
        operation,
        "memory",
        `${size} bytes in one block`,
        `${this.maximum - this.used} bytes unused of a maximum of ${this.maximum}, ${reserved} reserved`,
      );
    }
    // Only here does memory grow.
    this.#renewViews((this.#memory as WebAssembly.Memory).buffer);
    if (atEnd) atEnd.end = this.reserved;
    else this.#free.push({ start: reserved, end: this.reserved });
  }

  #renewViews(buffer: ArrayBufferLike): void {
    this.#buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#floats = new Float32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
  }
}

/** The next multiple of a cache line. */
export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
