// How well the next piece of a text that was never seen is told: by the model, and by counting which piece
// follows which.

import { logSumExp } from "./sampling";
import type { Vocabulary } from "./text";
import type { Writer } from "./writer";

export interface Report {
  /** Of the held-out text, without the marks that begin its chapters. */
  readonly pieces: number;
  readonly characters: number;
  /** Mean of −ln probability of each piece. */
  readonly loss: number;
  /** The same by `BigramCounts` over the text that was trained on. */
  readonly bigramLoss: number;
}

/** −ln probability of each piece after the first, by the model. */
export function losses(writer: Writer, ids: readonly number[]): number[] {
  const text = writer.begin();
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
  let [pieces, characters, sum, bigramSum] = [0, 0, 0, 0];
  for (const text of heldOut) {
    const ids = vocabulary.encode(text);
    pieces += ids.length - 1;
    characters += text.length;
    for (const loss of losses(writer, ids)) sum += loss;
    for (let at = 1; at < ids.length; at++)
      bigramSum -= Math.log(counts.probability(ids[at - 1], ids[at]));
  }
  const rounded = (value: number) => Number(value.toFixed(4));
  return {
    pieces,
    characters,
    loss: rounded(sum / pieces),
    bigramLoss: rounded(bigramSum / pieces),
  };
}
