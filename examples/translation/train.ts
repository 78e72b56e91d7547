// A corpus and its translator, trained step by step; the same for the terminal, the page and the
// tests.

import type { Attention, Tensor } from "wasm-attention";
import { Adam, rateAt, type Schedule } from "../training/block";
import { type Random, seeded, shuffle } from "../training/random";
import type { Corpus, Pair } from "./corpus";
import { Pieces } from "./pieces";
import { Translator } from "./translator";

const BATCH = 64;
/** Batches among which sequences of like length are put together. */
const SORTED = 16;

export interface Alignment {
  readonly source: readonly string[];
  /** What was written, and the end. */
  readonly target: readonly string[];
  /** [target, source] */
  readonly weights: Tensor;
}

export class Training {
  readonly translator: Translator;
  readonly corpus: Corpus;
  readonly source: Pieces;
  readonly target: Pieces;
  readonly #attention: Attention;
  readonly #random: Random;

  constructor(attention: Attention, corpus: Corpus, seed: number) {
    this.#attention = attention;
    this.#random = seeded(seed);
    this.corpus = corpus;
    this.source = Pieces.learn(corpus.training.map(({ source }) => source));
    this.target = Pieces.learn(corpus.training.map(({ target }) => target));
    const [sources, targets] = [this.source.names.length, this.target.names.length];
    this.translator = new Translator(attention, sources, targets, this.#random);
  }

  get parameterCount(): number {
    return this.translator.parameters.reduce((sum, { data }) => sum + data.length, 0);
  }

  /** Yields the loss of each step. */
  *steps(schedule: Schedule): Generator<number, void> {
    const adam = new Adam(this.translator.parameters);
    const batches = this.#batches();
    for (let step = 0; step < schedule.steps; step++) {
      const { sources, targets } = batches.next().value as Batch;
      const loss = this.translator.learn(sources, targets);
      adam.step(rateAt(this.#attention, step, schedule));
      this.translator.update();
      yield loss;
    }
  }

  translate(texts: readonly string[]): string[] {
    const sources = texts.map((text) => this.source.encode(text));
    const order = sources.map((_, i) => i).sort((a, b) => sources[a].length - sources[b].length);
    const translations: string[] = [];
    for (let from = 0; from < order.length; from += BATCH) {
      const batch = order.slice(from, from + BATCH);
      const longest = Math.max(...batch.map((i) => sources[i].length));
      const written = this.translator.translate(
        batch.map((i) => sources[i]),
        2 * longest + 10,
      );
      batch.forEach((i, b) => {
        translations[i] = this.target.decode(written[b]);
      });
    }
    return translations;
  }

  /** The share of pairs translated without any difference. */
  exactMatch(pairs: readonly Pair[]): number {
    const got = this.translate(pairs.map(({ source }) => source));
    return got.filter((text, i) => text === this.#plain(pairs[i].target)).length / pairs.length;
  }

  /** How the model looks at `source` while it writes `target`, or what it would write itself. */
  align(source: string, target: string = this.translate([source])[0]): Alignment {
    const [from, to] = [this.source.encode(source), this.target.encode(target)];
    return {
      source: from.map((id) => this.source.name(id)),
      target: [...to.map((id) => this.target.name(id)), "end"],
      weights: this.translator.align(from, to),
    };
  }

  dispose(): void {
    this.translator.dispose();
  }

  /** As the pieces can write it: single spaces. */
  #plain(text: string): string {
    return text.split(/\s+/u).filter(Boolean).join(" ");
  }

  *#batches(): Generator<Batch, never> {
    const encoded = this.corpus.training.map(({ source, target }) => ({
      source: this.source.encode(source),
      target: this.target.encode(target),
    }));
    for (;;) {
      shuffle(encoded, this.#random);
      for (let from = 0; from < encoded.length; from += BATCH * SORTED) {
        const group = encoded.slice(from, from + BATCH * SORTED);
        group.sort(
          (a, b) => a.target.length - b.target.length || a.source.length - b.source.length,
        );
        const batches: Batch[] = [];
        for (let at = 0; at < group.length; at += BATCH) {
          const batch = group.slice(at, at + BATCH);
          batches.push({
            sources: batch.map(({ source }) => source),
            targets: batch.map(({ target }) => target),
          });
        }
        yield* shuffle(batches, this.#random);
      }
    }
  }
}

interface Batch {
  readonly sources: number[][];
  readonly targets: number[][];
}
