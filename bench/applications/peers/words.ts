// Word error rate: words put in, left out or put in another's place, over the words that were said.

import { distance } from "fastest-levenshtein";

export interface Errors {
  readonly errors: number;
  readonly words: number;
}

/** Case and punctuation do not count; numbers and spelling do. */
export function wordErrors(heard: string, said: string): Errors {
  const letters = new Map<string, string>();
  const spelt = (words: readonly string[]) =>
    words
      .map((word) => {
        const letter = letters.get(word) ?? String.fromCharCode(letters.size + 1);
        letters.set(word, letter);
        return letter;
      })
      .join("");
  const [ours, theirs] = [wordsOf(heard), wordsOf(said)];
  return { errors: distance(spelt(ours), spelt(theirs)), words: theirs.length };
}

const wordsOf = (text: string) =>
  text
    .toLowerCase()
    .replaceAll("’", "'")
    .replaceAll(/[^\p{L}\p{N}']+/gu, " ")
    .trim()
    .split(" ");
