// The memory of a cache: pages of one size, each counted by who uses it. A page belongs to sequences that
// are forks of one another, to calls in flight, and to prefixes that are kept.

import { MemoryError } from "../errors";
import type { Arena } from "../memory/arena";

/** Rows of all heads. */
export interface Page {
  readonly address: number;
  /** How many use it. */
  uses: number;
  /** Rows before this one may be read by someone. */
  written: number;
}

/** Holds pages for later, and gives them back where they are wanted. */
export interface Holder {
  /** Gives one back; false if there is none. */
  reclaim(): boolean;
  clear(): void;
}

export class Pages {
  readonly arena: Arena;
  /** Of a page. */
  readonly bytes: number;
  readonly #maximum: number;
  #count = 0;
  /** Who holds pages that are of no sequence. */
  readonly holders = new Set<Holder>();

  /** At most `maximum` bytes together. */
  constructor(arena: Arena, bytes: number, maximum: number) {
    this.arena = arena;
    this.bytes = bytes;
    this.#maximum = maximum;
  }

  /** Pages there are. */
  get count(): number {
    return this.#count;
  }

  /** A page whose rows are whatever lay there. */
  take(operation: string): Page {
    while ((this.#count + 1) * this.bytes > this.#maximum) {
      if (this.#reclaim()) continue;
      const expected = `room for a page of ${this.bytes} bytes`;
      const used = this.#count * this.bytes;
      throw new MemoryError(
        operation,
        "maximumBytes",
        expected,
        `${used} of ${this.#maximum} used`,
      );
    }
    const address = this.#allocate(operation);
    this.#count++;
    return { address, uses: 1, written: 0 };
  }

  /** A copy of its first `rows` rows, to be written to. */
  copy(operation: string, page: Page, rows: number): Page {
    const copy = this.take(operation);
    const { bytes } = this.arena;
    bytes.copyWithin(copy.address, page.address, page.address + this.bytes);
    copy.written = rows;
    return copy;
  }

  release(page: Page): void {
    page.uses--;
    if (page.uses) return;
    this.#count--;
    this.arena.release(page.address);
  }

  /** Keeps pages as they are until `result` settles. */
  async during<Result>(pages: readonly Page[], result: Promise<Result>): Promise<Result> {
    const done = this.hold(pages);
    try {
      return await result;
    } finally {
      done();
    }
  }

  /** Keeps pages as they are until what it returns is called. */
  hold(pages: readonly Page[]): () => void {
    for (const page of pages) page.uses++;
    return () => {
      for (const page of pages) this.release(page);
    };
  }

  #allocate(operation: string): number {
    for (;;) {
      try {
        return this.arena.allocate(operation, this.bytes);
      } catch (error) {
        if (!this.#reclaim()) throw error;
      }
    }
  }

  #reclaim(): boolean {
    for (const holder of this.holders) if (holder.reclaim()) return true;
    return false;
  }
}
