// What a worker holds: its spans of every sequence, as the log says. It is a fold over the log, so that a
// worker which starts anew comes to the same state.

import type { Attention, Tensor } from "wasm-attention";
import { type AttentionCache, createCache } from "wasm-attention/cache";
import { decode, type Message, partOf } from "./codec";
import { type Deployment, SPAN, workersOf } from "./plan";

/** What is said of each message of the log, beside it. */
export interface Entry {
  readonly op: "append" | "truncate" | "fork" | "release";
  readonly id: string;
  /** Tokens before and after, once all parts are there. */
  readonly base: number;
  readonly length: number;
  /** The operation after which tokens are only added. */
  readonly epoch: string;
  readonly part: number;
  readonly of: number;
  /** Of `fork`: from which sequence, its epoch, and its last message in the log when it was looked at. */
  readonly source?: string;
  readonly sourceEpoch?: string;
  readonly sourceLast?: number;
}

/** @throws for a text that is no entry. */
export function entryOf(text: string): Entry {
  const wrong = new Error(`no entry of a log: ${text.slice(0, 100)}`);
  let entry: Entry;
  try {
    entry = JSON.parse(text) as Entry;
  } catch {
    throw wrong;
  }
  const counts = [entry.base, entry.length, entry.part, entry.of];
  const fits =
    ["append", "truncate", "fork", "release"].includes(entry.op) &&
    counts.every((count) => Number.isSafeInteger(count) && count >= 0) &&
    entry.part < entry.of &&
    [entry.id, entry.epoch].every((id) => typeof id === "string" && id.length <= 64);
  if (fits) return entry;
  throw wrong;
}

export interface Held {
  length: number;
  epoch: string;
  /** The cache's sequence of each span. */
  readonly spans: Map<number, number>;
  /** Spans that this worker had no memory for. */
  readonly lost: Set<number>;
  /** The name of what a snapshot has of a span, until it changes. */
  readonly kept: Map<number, string>;
}

/** An append of which parts are missing. */
export interface Opened {
  readonly id: string;
  readonly chunks: Uint8Array[];
  bytes: number;
}

export class Store {
  readonly cache: AttentionCache;
  readonly sequences = new Map<string, Held>();
  readonly deployment: Deployment;
  readonly #worker: number;
  readonly open = new Map<string, Opened>();

  constructor(attention: Attention<"cache">, deployment: Deployment, worker: number) {
    const { keyValueHeads, headSize, valueSize, numbers } = deployment;
    this.cache = createCache(attention, { keyValueHeads, headSize, valueSize, numbers });
    this.cache.release(0);
    this.deployment = deployment;
    this.#worker = worker;
  }

  /** Takes in a message of the log, in the log's order. Parts of one append follow each other, or are void. */
  apply(name: string, entry: Entry, data: Uint8Array): void {
    const { id, part, of, op } = entry;
    if (op !== "append") {
      this.open.delete(name);
      this.#change(name, entry);
      return;
    }
    const piece = partOf(data);
    if (part === 0) this.open.set(name, { id, chunks: [], bytes: piece.bytes });
    const open = this.open.get(name);
    if (open?.id !== id || open.chunks.length !== part) return;
    open.chunks.push(new Uint8Array(piece.chunk));
    if (part + 1 < of) return;
    this.open.delete(name);
    const whole = new Uint8Array(open.chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of open.chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    this.#append(name, entry, decode(whole));
  }

  #append(name: string, { base, length, epoch }: Entry, { arrays: [key, value] }: Message): void {
    const { keyValueHeads, headSize, valueSize } = this.deployment;
    const held = this.sequences.get(name) ?? begun();
    const count = length - base;
    const fits = (array: unknown, size: number) =>
      array instanceof Float32Array && array.length === keyValueHeads * count * size;
    if (held.length !== base || count < 0 || !fits(key, headSize) || !fits(value, valueSize))
      return;
    this.sequences.set(name, held);
    held.length = length;
    held.epoch = epoch;
    for (let span = Math.floor(base / SPAN); span * SPAN < length; span++) {
      if (!workersOf(this.deployment, span).includes(this.#worker)) continue;
      if (held.lost.has(span)) continue;
      const from = Math.max(span * SPAN - base, 0);
      const to = Math.min((span + 1) * SPAN - base, count);
      const rows = (array: unknown, size: number) =>
        rowsOf(array as Float32Array, [keyValueHeads, count, size], from, to);
      try {
        const sequence = held.spans.get(span) ?? this.cache.begin();
        held.spans.set(span, sequence);
        held.kept.delete(span);
        this.cache.append(rows(key, headSize), rows(value, valueSize), { sequences: [sequence] });
      } catch {
        // Its memory is full: the other workers of the span answer.
        held.lost.add(span);
      }
    }
  }

  #change(name: string, { op, length, epoch, source, sourceEpoch }: Entry): void {
    const held = this.sequences.get(name);
    if (op === "release") {
      if (held) this.#drop(name, held);
    } else if (op === "truncate") {
      if (held) this.#truncate(held, Math.min(length, held.length), epoch);
    } else {
      const from = this.sequences.get(source ?? "");
      // Void where the source was changed after whoever forks had looked at it: see Log.isVoid.
      if (!from || held || from.epoch !== sourceEpoch || from.length < length) return;
      const spans = new Map(
        [...from.spans].map(([span, sequence]) => [span, this.cache.fork(sequence)]),
      );
      const fork = { ...from, spans, lost: new Set(from.lost), kept: new Map(from.kept) };
      this.sequences.set(name, fork);
      this.#truncate(fork, Math.min(length, fork.length), epoch);
    }
  }

  #truncate(held: Held, length: number, epoch: string): void {
    for (const [span, sequence] of [...held.spans]) {
      const rest = length - span * SPAN;
      if (rest <= 0) {
        this.cache.release(sequence);
        held.spans.delete(span);
        held.lost.delete(span);
        held.kept.delete(span);
      } else if (rest < this.cache.length(sequence)) {
        this.cache.truncate(sequence, rest);
        held.kept.delete(span);
      }
    }
    held.length = length;
    held.epoch = epoch;
  }

  #drop(name: string, held: Held): void {
    for (const sequence of held.spans.values()) this.cache.release(sequence);
    this.sequences.delete(name);
  }
}

const begun = (): Held => ({
  length: 0,
  epoch: "",
  spans: new Map(),
  lost: new Set(),
  kept: new Map(),
});

/** Rows [from, to) of [heads, rows, size] as [1, heads, to − from, size]. */
export function rowsOf(
  data: Float32Array,
  [heads, rows, size]: readonly [number, number, number],
  from: number,
  to: number,
): Tensor {
  const some = new Float32Array(heads * (to - from) * size);
  for (let h = 0; h < heads; h++) {
    const start = h * rows * size;
    some.set(data.subarray(start + from * size, start + to * size), h * (to - from) * size);
  }
  return { data: some, dims: [1, heads, to - from, size] };
}
