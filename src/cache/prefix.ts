// Pages found again by the tokens in them: a page follows from its tokens and from those of the pages
// before it. An entry's key is the number of the entry before it with the page's tokens, so that two
// prefixes are the same only if all their tokens are, whatever a hash would say.

import type { Attention } from "../attend/attention";
import { reader } from "../check/names";
import { numbersOf } from "../check/values";
import { ArgumentError, DisposedError, describe } from "../errors";
import { disposeSymbol } from "../tensor/disposal";
import { AttentionCache } from "./cache";
import type { Holder, Page } from "./pages";
import type { CacheState } from "./state";

/** Options of `PrefixIndex`. */
export interface PrefixOptions {
  /** Most bytes of pages that the index holds; all that the cache may have by default. */
  maximumBytes?: number | undefined;
}

/** Whose prefixes. */
export interface PrefixScope {
  /** Prefixes are found again under the salt that they were added with: one for each tenant. "" by default. */
  salt?: string | undefined;
}

/** What an index holds and has done. */
export interface PrefixCounts {
  /** Pages it holds. */
  readonly pages: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Tokens that were asked for, and those of them that were found. */
  readonly asked: number;
  /** Tokens that were found. */
  readonly found: number;
  /** Pages that were dropped for others. */
  readonly dropped: number;
}

interface Entry {
  readonly id: number;
  readonly key: string;
  readonly parent: Entry | undefined;
  readonly page: Page;
  /** Entries that follow it. */
  children: number;
}

const NAME = "PrefixIndex";
const readOptions = reader<PrefixOptions>({ maximumBytes: 1 });
const readScope = reader<PrefixScope>({ salt: 1 });

/**
 * Pages of a cache by the tokens in them, for prompts that begin alike: a second question on a document
 * starts where it differs. Only full pages are found again; those not used for longest are dropped first.
 */
export class PrefixIndex {
  readonly #attention: Attention;
  readonly #maximum: number;
  /** In the order of their last use, an entry after those that follow it. */
  readonly #entries = new Map<string, Entry>();
  #state: CacheState | undefined;
  #next = 0;
  #asked = 0;
  #found = 0;
  #dropped = 0;
  /** Of the cache's state, and not of the cache, which is collected when its owner drops it. */
  readonly #holder: Holder = {
    reclaim: () => this.#drop((entry) => entry.page.uses === 1),
    clear: () => this.clear(),
  };

  /** @throws ArgumentError for what is no cache, or options of the wrong type or range. */
  constructor(cache: AttentionCache, options: PrefixOptions = {}) {
    const given = AttentionCache.from(cache);
    if (!given) throw new ArgumentError(NAME, "cache", "a cache", describe(cache));
    const { maximumBytes } = readOptions(NAME, options);
    if (maximumBytes !== undefined && !(typeof maximumBytes === "number" && maximumBytes >= 0)) {
      throw new ArgumentError(NAME, "maximumBytes", "a number from 0", describe(maximumBytes));
    }
    this.#maximum = maximumBytes ?? Infinity;
    const { attention, state } = given.parts(NAME);
    this.#attention = attention;
    this.#state = state;
    state.pages.holders.add(this.#holder);
  }

  /** What it holds and has done. */
  get counts(): PrefixCounts {
    const pages = this.#entries.size;
    const bytes = pages * (this.#state?.pages.bytes ?? 0);
    return { pages, bytes, asked: this.#asked, found: this.#found, dropped: this.#dropped };
  }

  /**
   * Begins a sequence with the longest prefix of `tokens` that is known, in whole pages, and never with all
   * of them: the last token is left to attend with. The tokens from `length` on are the caller's to append.
   *
   * @throws ArgumentError for tokens that are no integers; DisposedError.
   */
  begin(
    tokens: ArrayLike<number>,
    scope: PrefixScope = {},
  ): {
    /** Its number. */
    readonly sequence: number;
    /** Tokens that were found. */
    readonly length: number;
  } {
    const name = "begin";
    const { pageSize } = this.#inUse(name).sizes;
    const ids = checkTokens(name, tokens);
    const salt = checkSalt(name, scope);
    const most = Math.floor(Math.max(ids.length - 1, 0) / pageSize);
    const found: Entry[] = [];
    while (found.length < most) {
      const entry = this.#entries.get(keyOf(salt, found.at(-1), ids, found.length, pageSize));
      if (!entry) break;
      found.push(entry);
    }
    this.#touch(found);
    const state = this.#inUse(name);
    const sequence = state.begin();
    const length = found.length * pageSize;
    const pages = found.map(({ page }) => page);
    state.share(sequence, { pages, length, position: length, evicted: 0 });
    this.#asked += ids.length;
    this.#found += length;
    return { sequence, length };
  }

  /**
   * Makes the full pages of a sequence known by its first tokens, those that are in `tokens`.
   *
   * @throws ArgumentError for tokens that are no integers or more than the sequence has, or for a
   * sequence whose positions are not those of its tokens; DisposedError.
   */
  add(sequence: number, tokens: ArrayLike<number>, scope: PrefixScope = {}): void {
    const name = "add";
    const state = this.#inUse(name);
    const { pageSize } = state.sizes;
    const { pages, length, position } = state.sequence(name, "sequence", sequence);
    const ids = checkTokens(name, tokens);
    const salt = checkSalt(name, scope);
    if (ids.length > length) {
      throw new ArgumentError(
        name,
        "tokens",
        `at most the ${length} of the sequence`,
        `${ids.length}`,
      );
    }
    if (position !== length) {
      const expected = "a sequence whose tokens stand at positions 0, 1, …";
      throw new ArgumentError(
        name,
        "sequence",
        expected,
        `the next one at ${position}, not ${length}`,
      );
    }
    const chain: Entry[] = [];
    for (let index = 0; (index + 1) * pageSize <= ids.length; index++) {
      const page = pages[index];
      if (!page) break;
      const key = keyOf(salt, chain.at(-1), ids, index, pageSize);
      chain.push(this.#entries.get(key) ?? this.#insert(key, chain.at(-1), page));
    }
    this.#touch(chain);
    const { bytes } = state.pages;
    while (this.#entries.size * bytes > this.#maximum) if (!this.#drop(() => true)) break;
  }

  /** Drops all; the counts of what was asked for stay. */
  clear(): void {
    while (this.#drop(() => true));
  }

  /** Drops all, and is of no further use; a second call does nothing. */
  dispose(): void {
    this.clear();
    this.#state?.pages.holders.delete(this.#holder);
    this.#state = undefined;
  }

  /** As `dispose()`, at the end of a `using` declaration's block. */
  [disposeSymbol](): void {
    this.dispose();
  }

  #insert(key: string, parent: Entry | undefined, page: Page): Entry {
    const entry = { id: this.#next++, key, parent, page, children: 0 };
    page.uses++;
    if (parent) parent.children++;
    this.#entries.set(key, entry);
    return entry;
  }

  /** They were used last, each after those that follow it. */
  #touch(chain: readonly Entry[]): void {
    for (let index = chain.length - 1; index >= 0; index--) {
      const entry = chain[index] as Entry;
      this.#entries.delete(entry.key);
      this.#entries.set(entry.key, entry);
    }
  }

  /** Drops the entry not used for longest of those that nothing follows; false if there is none. */
  #drop(which: (entry: Entry) => boolean): boolean {
    for (const entry of this.#entries.values()) {
      if (entry.children || !which(entry)) continue;
      this.#entries.delete(entry.key);
      if (entry.parent) entry.parent.children--;
      this.#state?.pages.release(entry.page);
      this.#dropped++;
      return true;
    }
    return false;
  }

  #inUse(operation: string): CacheState {
    this.#attention.running(operation);
    if (this.#state && !this.#state.disposed) return this.#state;
    const received = this.#state ? "one of a disposed cache" : "a disposed one";
    throw new DisposedError(operation, "index", "an index in use", received);
  }
}

/** Of a page: the one before it, or whose it is, and its tokens. */
function keyOf(
  salt: string,
  parent: Entry | undefined,
  tokens: readonly number[],
  index: number,
  pageSize: number,
): string {
  const before = parent ? `${parent.id}` : JSON.stringify(salt);
  return `${before}:${tokens.slice(index * pageSize, (index + 1) * pageSize).join()}`;
}

function checkTokens(operation: string, given: ArrayLike<number>): number[] {
  const tokens = numbersOf(given);
  if (!tokens)
    throw new ArgumentError(operation, "tokens", "an array of integers", describe(given));
  for (const [index, token] of tokens.entries()) {
    if (Number.isSafeInteger(token)) continue;
    throw new ArgumentError(operation, `tokens[${index}]`, "an integer", describe(token));
  }
  return tokens;
}

function checkSalt(operation: string, scope: PrefixScope): string {
  const { salt = "" } = readScope(operation, scope);
  if (typeof salt === "string") return salt;
  throw new ArgumentError(operation, "salt", "a string", describe(salt));
}
