// Many conversations of the model that comes with the examples, in one cache for each layer: they are written
// side by side, forked, cut, begun again on documents that were read before, exported and imported.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  type AttentionCache,
  type CacheNumbers,
  createCache,
  PrefixIndex,
} from "wasm-attention/cache";
import { seeded } from "../../examples/training/random";
import { greedy, sample } from "../../examples/write/sampling";
import { unpackModel } from "../../examples/write/weights";
import { type Attend, Writer } from "../../examples/write/writer";
import { bitsOf, type Whole } from "../engines";

const PAGE = 16;
/** Pieces of a document, which is not a whole number of pages, and the most of a conversation. */
const [DOCUMENT, MOST] = [100, 400];
const DOCUMENTS = 5;

export const writerOf = async (attention: Whole) =>
  new Writer(
    attention,
    await unpackModel(
      readFileSync(new URL("../../examples/write/model.safetensors", import.meta.url)),
    ),
  );

interface Talk {
  sequence: number;
  /** Read, but for the last one. */
  ids: number[];
}

/** The caches of all layers, whose sequences have the same numbers. */
export class Layers {
  readonly caches: readonly AttentionCache[];
  readonly #writer: Writer;

  constructor(attention: Whole, writer: Writer, numbers: CacheNumbers) {
    const { heads, size, layers } = writer.model.shape;
    const sizes = { keyValueHeads: heads, headSize: size / heads, pageSize: PAGE, sequences: 0 };
    this.#writer = writer;
    this.caches = Array.from({ length: layers }, () =>
      createCache(attention, { ...sizes, numbers }),
    );
  }

  /** What `act` gives of every cache, which is the same. */
  each<Result>(act: (cache: AttentionCache, layer: number) => Result): Result {
    const [first, ...others] = this.caches.map(act);
    for (const other of others) assert.deepEqual(other, first);
    return first;
  }

  /** Logits [B, vocabulary] of what follows ids [B][L]. */
  read(sequences: readonly number[], ids: readonly (readonly number[])[]) {
    const { alibi } = this.#writer;
    const attend: Attend = (layer, query, key, value) => {
      const cache = this.caches[layer];
      cache.append(key, value, { layout: "BLE", sequences });
      return cache.attend(query, { layout: "BLE", sequences, alibi }).output;
    };
    return this.#writer.read(ids, attend);
  }

  save(sequence: number): Uint8Array[] {
    return this.caches.map((cache) => cache.export(sequence));
  }

  load(saved: readonly Uint8Array[]): number {
    return this.each((cache, layer) => cache.import(saved[layer]));
  }

  dispose(): void {
    for (const cache of this.caches) cache.dispose();
  }
}

export interface Asked {
  readonly tokens: number;
  readonly conversations: number;
  readonly numbers: CacheNumbers;
  readonly seed?: number;
  /** Told of what was done so far. */
  readonly progress?: (counts: Counts) => void;
}

export interface Counts {
  generated: number;
  forks: number;
  truncations: number;
  begun: number;
  imports: number;
  checks: number;
  /** Pieces of documents that need not be read again. */
  found: number;
}

/** Generates so many pieces; nothing is left of it then. */
export function talkOn(attention: Whole, writer: Writer, asked: Asked): Counts {
  const { conversations, numbers, tokens } = asked;
  const { used } = attention.memory;
  const random = seeded(asked.seed ?? 1);
  const { below, uniform } = random;
  const pieces = writer.model.shape.vocabulary;
  const layers = new Layers(attention, writer, numbers);
  const page = layers.each(({ memory }) => memory.bytes);
  assert.equal(page, 0);
  const indexes = layers.caches.map((cache) => new PrefixIndex(cache, { maximumBytes: 2 ** 20 }));
  const documents = Array.from({ length: DOCUMENTS }, () =>
    Array.from({ length: DOCUMENT }, () => below(pieces)),
  );
  const counts: Counts = {
    generated: 0,
    forks: 0,
    truncations: 0,
    begun: 0,
    imports: 0,
    checks: 0,
    found: 0,
  };

  const begin = (): Talk => {
    const question = Array.from({ length: 1 + below(20) }, () => below(pieces));
    const ids = [...documents[below(DOCUMENTS)], ...question];
    const { sequence, length } = layers.each((_, layer) => indexes[layer].begin(ids));
    layers.read([sequence], [ids.slice(length, -1)]);
    layers.each((_, layer) => indexes[layer].add(sequence, ids.slice(0, -1)));
    counts.found += length;
    counts.begun++;
    return { sequence, ids };
  };
  const end = ({ sequence }: Talk) => layers.each((cache) => cache.release(sequence));
  /** Each of some talks writes a piece. */
  const write = (some: readonly Talk[]) => {
    const { data } = layers.read(
      some.map(({ sequence }) => sequence),
      some.map(({ ids }) => [ids.at(-1) as number]),
    );
    some.forEach(({ ids }, row) => {
      const logits = data.subarray(row * pieces, (row + 1) * pieces);
      ids.push(sample(logits, { temperature: 1, topK: 50 }, random));
    });
    counts.generated += some.length;
  };
  /** What it goes on with is what a new text of the same pieces would. */
  const check = ({ sequence, ids }: Talk) => {
    const fresh = new Layers(attention, writer, numbers);
    const alone = fresh.each((cache) => cache.begin());
    const fork = layers.each((cache) => cache.fork(sequence));
    const want = fresh.read([alone], [ids]);
    const got = layers.read([fork], [ids.slice(-1)]);
    assert.deepEqual(bitsOf({ got }), bitsOf({ got: want }));
    layers.each((cache) => cache.release(fork));
    fresh.dispose();
    counts.checks++;
  };

  const talks = Array.from({ length: conversations }, begin);
  for (let step = 0; counts.generated < tokens; step++) {
    const at = below(talks.length);
    const talk = talks[at];
    const what = uniform();
    if (talk.ids.length > MOST - 40 || what < 0.05) {
      end(talk);
      talks[at] = begin();
    } else if (what < 0.15) {
      const other = below(talks.length);
      if (other === at) continue;
      end(talks[other]);
      const sequence = layers.each((cache) => cache.fork(talk.sequence));
      talks[other] = { sequence, ids: talk.ids.slice() };
      counts.forks++;
    } else if (what < 0.25) {
      const length = 1 + below(talk.ids.length);
      layers.each((cache) => cache.truncate(talk.sequence, length - 1));
      talk.ids.length = length;
      counts.truncations++;
    } else if (what < 0.28) {
      const saved = layers.save(talk.sequence);
      end(talk);
      talk.sequence = layers.load(saved);
      counts.imports++;
    } else {
      const some = talks.filter(({ ids }, i) => i === at || (uniform() < 0.1 && ids.length < MOST));
      for (let count = 1 + below(20); count > 0; count--) write(some);
    }
    if (step % 97 === 0) check(talks[below(talks.length)]);
    asked.progress?.(counts);
  }
  talks.forEach(check);
  talks.forEach(end);
  for (const index of indexes) index.dispose();
  assert.equal(
    layers.each(({ memory }) => memory.pages),
    0,
  );
  layers.dispose();
  assert.equal(attention.memory.used, used);
  return counts;
}

/** Always the likeliest piece, `count` times; the ids are read, but for the last one. */
export function goOn(layers: Layers, talk: Talk, count: number): number[] {
  for (let i = 0; i < count; i++) {
    talk.ids.push(greedy(layers.read([talk.sequence], [talk.ids.slice(-1)]).data));
  }
  return talk.ids;
}
