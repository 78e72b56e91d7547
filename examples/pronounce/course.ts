// A network that learns to say words, step by step, and how well it says those that it has not seen.

import type { Attention, Tensor } from "wasm-attention";
import { AdditiveAttention } from "../seq2seq-rnn/additive";
import { RecurrentTranslator } from "../seq2seq-rnn/recurrent";
import { Adam, rateAt, type Schedule } from "../training/block";
import { type Random, seeded, shuffle } from "../training/random";
import type { Alignment } from "../translation/train";
import { type Errors, errorsOf } from "./errors";
import { LocationAttention } from "./location";
import { letterCount, soundCount, soundName, spelt, type Word, type Words } from "./words";

const BATCH = 64;
/** Batches among which words of like length are put together. */
const SORTED = 16;
/** No pronunciation of a word of so many letters is longer. */
const mostSounds = (letters: number) => letters + 6;

/** How a network looks at the letters. */
export const KINDS = {
  additive: "additive, softmax",
  location: "location-sensitive, softmax",
  sparse: "location-sensitive, sparsemax",
} as const;
export type Kind = keyof typeof KINDS;

type Engine = Attention<"blocks" | "positions" | "training" | "variants">;

export class Course {
  readonly #attention: Engine;
  readonly #network: RecurrentTranslator;
  readonly #words: readonly Word[];
  /** Of batches: every network sees the same. */
  readonly #random: Random;

  constructor(attention: Engine, kind: Kind, words: Words, seed: number) {
    this.#attention = attention;
    this.#random = seeded(seed + 1);
    this.#words = words.training;
    this.#network = new RecurrentTranslator(
      attention,
      letterCount,
      soundCount,
      seeded(seed),
      (sizes, random) =>
        kind === "additive"
          ? new AdditiveAttention(attention, sizes, random)
          : new LocationAttention(attention, sizes, random, kind === "sparse" ? 2 : undefined),
    );
  }

  get parameterCount(): number {
    return this.#network.parameters.reduce((sum, { data }) => sum + data.length, 0);
  }

  /** Yields the loss of each step. */
  *steps(schedule: Schedule): Generator<number, void> {
    const adam = new Adam(this.#network.parameters);
    const batches = this.#batches();
    for (let step = 0; step < schedule.steps; step++) {
      const batch = batches.next().value as Word[];
      const letters = batch.map(({ word }) => spelt(word));
      const loss = this.#network.learn(
        letters,
        batch.map(({ sounds }) => [...sounds[0]]),
      );
      adam.step(rateAt(this.#attention, step, schedule));
      this.#network.update();
      yield loss;
    }
  }

  /** The likeliest sounds of each word, one after the other. */
  say(words: readonly string[]): number[][] {
    const order = words.map((_, i) => i).sort((a, b) => words[a].length - words[b].length);
    const said: number[][] = [];
    for (let from = 0; from < order.length; from += BATCH) {
      const batch = order.slice(from, from + BATCH);
      const letters = batch.map((i) => spelt(words[i]));
      const most = mostSounds(Math.max(...letters.map(({ length }) => length)));
      for (const [b, sounds] of this.#network.translate(letters, most).entries())
        said[batch[b]] = sounds;
    }
    return said;
  }

  errors(words: readonly Word[]): Errors {
    const said = this.say(words.map(({ word }) => word));
    return errorsOf(
      said,
      words.map(({ sounds }) => sounds),
    );
  }

  /** The sounds of a word, and which letters were looked at for each. */
  look(word: string): Alignment & { readonly sounds: readonly number[] } {
    const [sounds] = this.say([word]);
    const ended = sounds.length < mostSounds(word.length);
    const { data }: Tensor = this.#network.align(spelt(word), sounds);
    const target = [...sounds.map(soundName), ...(ended ? ["end"] : [])];
    const weights = data.subarray(0, target.length * word.length);
    return {
      source: [...word],
      target,
      weights: { data: weights, dims: [target.length, word.length] },
      heads: [weights],
      sounds,
    };
  }

  dispose(): void {
    this.#network.dispose();
  }

  *#batches(): Generator<Word[], never> {
    const words = [...this.#words];
    for (;;) {
      shuffle(words, this.#random);
      for (let from = 0; from < words.length; from += BATCH * SORTED) {
        const group = words.slice(from, from + BATCH * SORTED);
        group.sort(
          (a, b) => a.sounds[0].length - b.sounds[0].length || a.word.length - b.word.length,
        );
        const batches: Word[][] = [];
        for (let at = 0; at < group.length; at += BATCH) batches.push(group.slice(at, at + BATCH));
        yield* shuffle(batches, this.#random);
      }
    }
  }
}
