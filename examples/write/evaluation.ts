// How well the next piece of a text that was never seen is told: by the model, and by counting which piece
// follows which.

import type { CacheNumbers } from "wasm-attention/cache";
import { logSumExp } from "./sampling";
import type { Vocabulary } from "./text";
import type { Writer } from "./writer";

export interface Report {
  /** Of the held-out text, without the marks that begin its chapters. */
  readonly pieces: number;
  readonly characters: number;
  /** Mean of −ln probability of each piece. */
  readonly loss: number;
  /** The same with keys and values in int8. */
  readonly int8Loss: number;
  /** And by `BigramCounts` over the text that was trained on. */
  readonly bigramLoss: number;
}

/** −ln probability of each piece after the first, by the model. */
export function losses(
  writer: Writer,
  ids: readonly number[],
  numbers: CacheNumbers = "float32",
): number[] {
  const text = writer.begin(1, numbers);
  const { logits } = text.append([ids.slice(0, -1)], { every: true });
  text.dispose();
  const pieces = logits.dims[2];
  return ids.slice(1).map((id, row) => {
    const each = logits.data.subarray(row * pieces, (row + 1) * pieces);
    return logSumExp(each) - each[id];
  });
}

/**
 * Which piece follows which, counted: p(b | a) = (n(ab) + t(a) · p(b)) / (n(a) + t(a)), t(a) the number of
 * different pieces seen after a (Witten and Bell 1991), p(b) = (n(b) + 1) / (n + pieces).
 */
export class BigramCounts {
  readonly #pieces: number;
  readonly #singles: Float64Array;
  readonly #pairs = new Map<number, number>();
  readonly #kinds: Float64Array;
  readonly #total: number;

  constructor(pieces: number, texts: readonly (readonly number[])[]) {
    this.#pieces = pieces;
    this.#singles = new Float64Array(pieces);
    this.#kinds = new Float64Array(pieces);
    for (const ids of texts) {
      ids.forEach((id, at) => {
        this.#singles[id]++;
        if (at === 0) return;
        const pair = ids[at - 1] * pieces + id;
        const seen = this.#pairs.get(pair) ?? 0;
        if (seen === 0) this.#kinds[ids[at - 1]]++;
        this.#pairs.set(pair, seen + 1);
      });
    }
    this.#total = this.#singles.reduce((a, b) => a + b);
  }

  probability(before: number, id: number): number {
    const single = (this.#singles[id] + 1) / (this.#total + this.#pieces);
    const [times, kinds] = [this.#singles[before], this.#kinds[before]];
    if (kinds === 0) return single;
    const pair = this.#pairs.get(before * this.#pieces + id) ?? 0;
    return (pair + kinds * single) / (times + kinds);
  }
}

export function evaluate(
  writer: Writer,
  vocabulary: Vocabulary,
  { training, heldOut }: { training: readonly string[]; heldOut: readonly string[] },
): Report {
  const counts = new BigramCounts(
    vocabulary.names.length,
    training.map((text) => vocabulary.encode(text)),
  );
  const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const texts = heldOut.map((text) => vocabulary.encode(text));
  const pieces = total(texts.map(({ length }) => length - 1));
  const mean = (each: (ids: readonly number[]) => readonly number[]) =>
    Number((total(texts.map((ids) => total(each(ids)))) / pieces).toFixed(4));
  return {
    pieces,
    characters: total(heldOut.map(({ length }) => length)),
    loss: mean((ids) => losses(writer, ids)),
    int8Loss: mean((ids) => losses(writer, ids, "int8")),
    bigramLoss: mean((ids) =>
      ids.slice(1).map((id, at) => -Math.log(counts.probability(ids[at], id))),
    ),
  };
}
