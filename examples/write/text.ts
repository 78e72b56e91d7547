// The letters that the model writes with, and the vocabulary as text: pieces join to words, ¶ to paragraphs.

import { BEGIN, Pieces, UNKNOWN } from "../translation/pieces";

/** Pieces besides the letters. */
const MOST = 900;
const PARAGRAPH = "¶";

/** A text in the model's letters: curly quotes, single spaces, ¶ between paragraphs, nothing unknown. */
export function plain(text: string): string {
  return text
    .replace(/(^|[\s(—])"/gu, "$1“")
    .replaceAll('"', "”")
    .replace(/(^|[\s(—“])'/gu, "$1‘")
    .replaceAll("'", "’")
    .replaceAll("&", "and")
    .replace(/--+/gu, "—")
    .replace(/[^A-Za-z0-9.,;:!?“”‘’()—\s-]/gu, "")
    .trim()
    .replace(/\s*\n\s*\n\s*/gu, ` ${PARAGRAPH} `)
    .replace(/\s+/gu, " ");
}

export class Vocabulary {
  readonly names: readonly string[];
  readonly #pieces: Pieces;

  constructor(names: readonly string[]) {
    this.names = names;
    this.#pieces = new Pieces(names);
  }

  static learn(texts: readonly string[]): Vocabulary {
    return new Vocabulary(Pieces.learn(texts, MOST).names);
  }

  /** The beginning of a text, in the letters there are. */
  encode(text: string): number[] {
    const ids = this.#pieces.encode(plain(text)).filter((id) => id !== UNKNOWN);
    return [BEGIN, ...ids];
  }

  /** What a piece adds to the text before it. */
  added(id: number): string {
    return id === BEGIN ? "" : this.names[id].replace("▁", " ").replace(/ ?¶/u, "\n\n");
  }

  decode(ids: readonly number[]): string {
    const joined = ids.map((id) => this.added(id)).join("");
    return joined.replace(/ ?\n\n ?/gu, "\n\n").trimStart();
  }
}
