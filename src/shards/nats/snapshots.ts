// What a worker holds, put away from time to time, so that a worker which starts reads the log from there on
// and not from its beginning. The log stays whole: a snapshot that is damaged, incomplete or of another log is
// passed over, and costs time alone.
//
//   PREFIX/index   where in the log it was taken; of each sequence what its spans are named; open appends
//   PREFIX/ID      one span, as the cache exports it, which is never written twice

import { decode, encode, type Numbers, newId } from "./codec";
import type { Held, Store } from "./worker";

/** Where snapshots lie: an object store of `@nats-io/obj` is one, and so is anything that does these. */
export interface SnapshotStore {
  /** What was put there, or null. */
  getBlob(name: string): Promise<Uint8Array | null>;
  /** Puts it there, instead of what was. */
  putBlob(meta: { name: string }, data: Uint8Array): Promise<unknown>;
  /** Takes it away. */
  delete(name: string): Promise<unknown>;
  /** All that there are. */
  list(): Promise<readonly { readonly name: string }[]>;
}

interface Where {
  readonly prefix: string;
  /** When the log was made: positions of another mean nothing. */
  readonly log: string;
  /** Its last message. */
  readonly last: number;
  /** Bytes of the log from one to the next. */
  readonly every: number;
}

interface SequenceIndex extends Pick<Held, "length" | "epoch"> {
  readonly name: string;
  readonly lost: readonly number[];
  readonly spans: readonly (readonly [span: number, id: string])[];
}

interface Index {
  readonly log: string;
  readonly at: number;
  readonly sequences: readonly SequenceIndex[];
  /** Appends of which parts are missing; their parts stand behind, one after the other. */
  readonly open: readonly { name: string; id: string; bytes: number; parts: number }[];
}

export class Snapshots {
  readonly #store: Store;
  readonly #objects: SnapshotStore;
  readonly #where: Where;
  #at = 0;
  #bytes = 0;
  #taking: Promise<void> | undefined;
  #closed = false;

  constructor(store: Store, objects: SnapshotStore, where: Where) {
    this.#store = store;
    this.#objects = objects;
    this.#where = where;
  }

  /** Gives the place in the log of the last one; 0 where there is none. */
  async restore(): Promise<number> {
    const { cache, sequences, open } = this.#store;
    try {
      const bytes = await this.#objects.getBlob(`${this.#where.prefix}/index`);
      if (!bytes) return 0;
      const { header, arrays } = decode(new Uint8Array(bytes));
      const index = header as unknown as Index;
      if (index.log !== this.#where.log || !(index.at <= this.#where.last)) return 0;
      const loaded = new Map<string, number>();
      for (const { name, spans, lost, length, epoch } of index.sequences) {
        const kept = new Map(spans);
        const held: Held = { length, epoch, spans: new Map(), lost: new Set(lost), kept };
        sequences.set(name, held);
        for (const [span, id] of spans) {
          const first = loaded.get(id);
          const own = first === undefined ? await this.#load(id) : cache.fork(first);
          loaded.set(id, own);
          held.spans.set(span, own);
        }
      }
      let array = 0;
      for (const { name, id, bytes, parts } of index.open) {
        const chunks = arrays.slice(array, array + parts) as Uint8Array[];
        open.set(name, { id, bytes, chunks });
        array += parts;
      }
      return index.at;
    } catch {
      for (const sequence of cache.sequences) cache.release(sequence);
      sequences.clear();
      open.clear();
      return 0;
    }
  }

  async #load(id: string): Promise<number> {
    const bytes = await this.#objects.getBlob(`${this.#where.prefix}/${id}`);
    if (!bytes) throw new Error(`no span ${id}`);
    return this.#store.cache.import(bytes);
  }

  /** The log was read up to `at`, `bytes` further. */
  applied(at: number, bytes: number): void {
    this.#at = at;
    this.#bytes += bytes;
    this.#go();
  }

  #go(): void {
    if (this.#bytes < this.#where.every || this.#taking || this.#closed) return;
    this.#bytes = 0;
    // One that fails is taken anew later; nothing depends on it.
    this.#taking = this.#take(this.#at)
      .catch(() => undefined)
      .finally(() => {
        this.#taking = undefined;
        this.#go();
      });
  }

  /** Everything is as it is now, whatever is read of the log meanwhile. */
  async #take(at: number): Promise<void> {
    const { cache, sequences, open } = this.#store;
    const { prefix, log } = this.#where;
    const fresh = new Map<string, number>();
    const index: Index = {
      log,
      at,
      sequences: Array.from(sequences, ([name, held]): SequenceIndex => {
        const spans = Array.from(held.spans, ([span, sequence]): [number, string] => {
          const known = held.kept.get(span);
          const id = known ?? newId();
          if (!known) fresh.set(id, cache.fork(sequence));
          held.kept.set(span, id);
          return [span, id];
        });
        const { length, epoch, lost } = held;
        return { name, length, epoch, lost: [...lost], spans };
      }),
      open: Array.from(open, ([name, { id, bytes, chunks }]) => {
        return { name, id, bytes, parts: chunks.length };
      }),
    };
    const arrays: Numbers[] = [...open.values()].flatMap(({ chunks }) => chunks);
    const bytes = encode(index, arrays);
    try {
      for (const [id, sequence] of fresh) {
        await this.#objects.putBlob({ name: `${prefix}/${id}` }, cache.export(sequence));
        cache.release(sequence);
        fresh.delete(id);
      }
      await this.#objects.putBlob({ name: `${prefix}/index` }, bytes);
    } catch (error) {
      // Forks that were made meanwhile too.
      for (const { kept } of sequences.values()) {
        for (const [span, id] of kept) if (fresh.has(id)) kept.delete(span);
      }
      throw error;
    } finally {
      for (const sequence of fresh.values()) cache.release(sequence);
    }
    const used = new Set(index.sequences.flatMap(({ spans }) => spans.map(([, id]) => id)));
    for (const { name } of await this.#objects.list()) {
      const id = name.slice(prefix.length + 1);
      if (name.startsWith(`${prefix}/`) && id !== "index" && !used.has(id))
        await this.#objects.delete(name);
    }
  }

  /** Once none is being taken. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#taking;
  }
}
