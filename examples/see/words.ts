// Questions as words, each with an id; the question mark is the last of every question.

/** Ends every question: what is read off there is the answer. */
export const END = "?";

/** A word that the model has not learnt. */
export class UnknownWord extends Error {
  constructor(
    readonly word: string,
    known: readonly string[],
  ) {
    const words = known.filter((other) => other !== END).join(", ");
    super(`“${word}” is no word that it knows. It knows: ${words}`);
  }
}

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

  /** @throws UnknownWord */
  encode(question: string): number[] {
    return [...wordsOf(question), END].map((word) => {
      const id = this.#ids.get(word);
      if (id === undefined) throw new UnknownWord(word, this.names);
      return id;
    });
  }
}
