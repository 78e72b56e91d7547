// Questions as words, each with an id, and a question mark at the end.

/** Ends every question. */
export const END = "?";

/** So many words a question has at most, with its mark. */
export const LONGEST = 32;

/** A question of words that the model has not learnt, or of too many. */
export class UnaskableQuestion extends Error {}

/** A text as lower-case words, without punctuation. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

export class Words {
  readonly names: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  constructor(names: readonly string[]) {
    this.names = names;
    this.#ids = new Map(names.map((name, id) => [name, id]));
  }

  /** All words of some questions, in the order of the alphabet. */
  static of(questions: Iterable<string>): Words {
    const names = new Set<string>();
    for (const question of questions) for (const word of wordsOf(question)) names.add(word);
    return new Words([END, ...[...names].sort()]);
  }

  /** As the model reads it: many of something are the word for one and an s, and the mark is the last. */
  split(question: string): string[] {
    const words = wordsOf(question).flatMap((word) => {
      if (this.#ids.has(word) || !this.#ids.has("s")) return [word];
      const one = [word.replace(/s$/u, ""), word.replace(/es$/u, "")].find((name) =>
        this.#ids.has(name),
      );
      return one === undefined ? [word] : [one, "s"];
    });
    return [...words, END];
  }

  /** @throws UnaskableQuestion */
  encode(question: string): number[] {
    const words = this.split(question);
    if (words.length > LONGEST)
      throw new UnaskableQuestion(`a question has at most ${LONGEST - 1} words`);
    return words.map((word) => {
      const id = this.#ids.get(word);
      if (id !== undefined) return id;
      const known = this.names.filter((name) => name !== END).join(", ");
      throw new UnaskableQuestion(`“${word}” is no word that it knows; it knows ${known}`);
    });
  }
}
