// Which pages an append writes to: found and taken before anything is written, so that an append which
// fails changes nothing.

import { Segment } from "../../build/frames";
import type { Page } from "./pages";
import type { CacheState, Sequence } from "./state";

/** Tokens to be written to a sequence from token `from` on: `count` rows of a row of the batch. */
export interface Written {
  readonly sequence: Sequence;
  readonly from: number;
  readonly count: number;
  readonly batch: number;
  /** The first of them in the tensors. */
  readonly first: number;
}

interface Change {
  readonly sequence: Sequence;
  readonly index: number;
  readonly page: Page | undefined;
}

/** What has to be done before the rows can be written. */
export class Plan {
  /** Segment [count], in words. */
  readonly segments: number[] = [];
  readonly #state: CacheState;
  readonly #changes: Change[] = [];
  /** Tokens before which nothing but sinks is left, of each sequence that loses some. */
  readonly #evicted: [sequence: Sequence, before: number][] = [];
  /** Taken for this plan alone. */
  readonly #fresh: Page[] = [];
  /** Of this cache's sequences, to be evicted, and used by no one else. */
  readonly #spare: Page[] = [];

  /** @throws MemoryError, and nothing is taken then. */
  constructor(operation: string, state: CacheState, writes: readonly Written[]) {
    this.#state = state;
    try {
      for (const { sequence } of writes) this.#evict(sequence);
      for (const write of writes) this.#place(operation, write);
    } catch (error) {
      this.undo();
      throw error;
    }
  }

  /** Puts the pages in their places: nothing can fail after it. */
  commit(): void {
    const { pages } = this.#state;
    for (const { sequence, index, page } of this.#changes) {
      const before = sequence.pages[index];
      sequence.pages[index] = page;
      if (before && !this.#spare.includes(before)) pages.release(before);
    }
    for (const [sequence, before] of this.#evicted) sequence.evicted = before;
    for (const page of this.#spare) if (!this.#fresh.includes(page)) pages.release(page);
  }

  undo(): void {
    for (const page of this.#fresh) {
      if (!this.#spare.includes(page)) this.#state.pages.release(page);
    }
  }

  /** Pages that no token to come can see. */
  #evict(sequence: Sequence): void {
    const { window, sinks, pageSize } = this.#state.sizes;
    const end = Math.floor((sequence.length - window + 1) / pageSize);
    const start = Math.ceil(sinks / pageSize);
    if (end > start) {
      this.#evicted.push([sequence, Math.max(sequence.evicted, end * pageSize)]);
    }
    // Those before it went before.
    for (let index = end - 1; index >= start; index--) {
      const page = sequence.pages[index];
      if (!page) break;
      this.#changes.push({ sequence, index, page: undefined });
      if (page.uses === 1) this.#spare.push(page);
    }
  }

  #place(operation: string, { sequence, from, count, batch, first }: Written): void {
    const { pageSize } = this.#state.sizes;
    for (let done = 0; done < count; ) {
      const index = Math.floor((from + done) / pageSize);
      const row = (from + done) % pageSize;
      const rows = Math.min(count - done, pageSize - row);
      const page = this.#writable(operation, sequence, index, row);
      page.written = Math.max(page.written, row + rows);
      this.#segment(page, row, rows, batch, first + done);
      done += rows;
    }
  }

  /** The page itself, if nobody else reads its rows from `row` on, or one in its place. */
  #writable(operation: string, sequence: Sequence, index: number, row: number): Page {
    const page = sequence.pages[index];
    if (page && (page.uses === 1 || page.written <= row)) return page;
    const own = page
      ? this.#state.pages.copy(operation, page, row)
      : (this.#spare.find((spare) => !this.#fresh.includes(spare)) ??
        this.#state.pages.take(operation));
    this.#fresh.push(own);
    this.#changes.push({ sequence, index, page: own });
    return own;
  }

  #segment(page: Page, row: number, rows: number, batch: number, first: number): void {
    pushSegment(this.segments, page, [row, rows, batch, first]);
  }
}

/** The words of a Segment: rows [row, row + rows) of a page, from `first` on of the batch's tensor. */
export function pushSegment(
  segments: number[],
  page: Page,
  [row, rows, batch, first]: readonly [row: number, rows: number, batch: number, first: number],
): void {
  const at = segments.length;
  for (let word = 0; word < Segment.words; word++) segments.push(0);
  segments[at + Segment.page] = page.address;
  segments[at + Segment.row] = row;
  segments[at + Segment.rows] = rows;
  segments[at + Segment.batch] = batch;
  segments[at + Segment.first] = first;
}
