// A corpus and its translator, trained step by step; the same for the terminal, the page and the
// tests.

import type { AttendOptions, Attention, Tensor } from "wasm-attention";
import { Adam, type Parameter, rateAt, type Schedule } from "../training/block";
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
  /** [target, source], the mean over the heads. */
  readonly weights: Tensor;
  /** [target, source] of each head. */
  readonly heads: readonly Float32Array[];
}

export interface Written extends Alignment {
  readonly text: string;
}

/** How the heads look at the source, as in `attend`. */
type How = Pick<AttendOptions, "precision" | "scale" | "softcap">;

/** What a training asks of a model. */
export interface Model {
  readonly parameters: readonly Parameter[];
  /** The mean loss of a piece; the parameters' gradients are added to. */
  learn(sources: readonly number[][], targets: readonly number[][]): number;
  /** After the parameters have moved. */
  update(): void;
  /** Piece by piece, at most `most` pieces. */
  translate(sources: readonly number[][], most: number): number[][];
  /**
   * How each head looks at a source while it writes a target: [heads, target + end, source]. `how` is for
   * heads that can attend otherwise than they were trained.
   */
  align(source: readonly number[], target: readonly number[], how?: How): Tensor;
  dispose(): void;
}

type Engine = Attention<"blocks" | "cache" | "positions" | "training">;

type Make<Own extends Model> = (
  attention: Engine,
  sources: number,
  targets: number,
  random: Random,
) => Own;

const transformer: Make<Translator> = (...given) => new Translator(...given);

export class Training<Own extends Model = Translator> {
  readonly translator: Own;
  readonly corpus: Corpus;
  readonly source: Pieces;
  readonly target: Pieces;
  readonly #attention: Engine;
  readonly #random: Random;

  constructor(
    attention: Engine,
    corpus: Corpus,
    seed: number,
    make: Make<Own> = transformer as unknown as Make<Own>,
  ) {
    this.#attention = attention;
    this.#random = seeded(seed);
    this.corpus = corpus;
    this.source = Pieces.learn(corpus.training.map(({ source }) => source));
    this.target = Pieces.learn(corpus.training.map(({ target }) => target));
    const [sources, targets] = [this.source.names.length, this.target.names.length];
    this.translator = make(attention, sources, targets, this.#random);
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
        mostPieces(longest),
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
    return got.filter((text, i) => this.isRight(text, pairs[i])).length / pairs.length;
  }

  /** How the model looks at `source` while it writes `target`, or what it would write itself. */
  align(source: string, target = this.translate([source])[0], how: How = {}): Alignment {
    return this.#aligned(this.source.encode(source), this.target.encode(target), true, how);
  }

  /** What the model writes, piece by piece, and how it looks at `source` meanwhile. */
  write(source: string): Written {
    const from = this.source.encode(source);
    const most = mostPieces(from.length);
    const [to] = this.translator.translate([from], most);
    return { text: this.target.decode(to), ...this.#aligned(from, to, to.length < most) };
  }

  /** Whether a text is that pair's target. */
  isRight(text: string, { target }: Pair): boolean {
    return text === this.#plain(target);
  }

  dispose(): void {
    this.translator.dispose();
  }

  /** A text that did not come to its end has no row for it. */
  #aligned(
    from: readonly number[],
    to: readonly number[],
    ended: boolean,
    how: How = {},
  ): Alignment {
    const { data, dims } = this.translator.align(from, to, how);
    const target = [...to.map((id) => this.target.name(id)), ...(ended ? ["end"] : [])];
    const size = target.length * from.length;
    const heads = Array.from({ length: dims[0] }, (_, head) => {
      const begin = head * dims[1] * dims[2];
      return data.subarray(begin, begin + size);
    });
    const mean = Float32Array.from({ length: size }, (_, at) => {
      return heads.reduce((sum, weights) => sum + weights[at], 0) / heads.length;
    });
    return {
      source: from.map((id) => this.source.name(id)),
      target,
      weights: { data: mean, dims: [target.length, from.length] },
      heads,
    };
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

/** For a source of so many pieces; what is longer has lost its way. */
const mostPieces = (source: number) => 2 * source + 10;

interface Batch {
  readonly sources: number[][];
  readonly targets: number[][];
}
