// Text as a Llama's tokens: single characters, or their bytes where there is no piece for one, of which
// the two neighbours that make the piece of the highest score are merged, again and again.

import type { Tokens } from "./checkpoint";

export const BEGIN = 1;
export const END = 2;
/** Tokens of the bytes 0 to 255 begin here. */
const BYTES = 3;

export class Tokenizer {
  readonly #tokens: Tokens;
  readonly #ids: ReadonlyMap<string, number>;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
    // Of two alike the first counts.
    this.#ids = new Map(tokens.pieces.map((piece, id): [string, number] => [piece, id]).reverse());
  }

  /** With the mark of a beginning, and a space in front as Llama was trained. */
  encode(text: string): number[] {
    const { pieces, scores } = this.#tokens;
    const ids = [...(text && ` ${text}`)].flatMap((character) => {
      const id = this.#ids.get(character);
      if (id !== undefined) return [id];
      return Array.from(new TextEncoder().encode(character), (byte) => byte + BYTES);
    });
    for (;;) {
      let best = -1;
      let merged = -1;
      for (let at = 0; at + 1 < ids.length; at++) {
        const id = this.#ids.get(pieces[ids[at]] + pieces[ids[at + 1]]);
        if (id !== undefined && (merged < 0 || scores[id] > scores[merged])) {
          best = at;
          merged = id;
        }
      }
      if (best < 0) return [BEGIN, ...ids];
      ids.splice(best, 2, merged);
    }
  }

  decode(ids: readonly number[]): string {
    const bytes = ids.flatMap((id) => {
      if (id === BEGIN) return [];
      const byte = /^<0x([0-9A-F]{2})>$/u.exec(this.#tokens.pieces[id])?.[1];
      return byte
        ? [Number.parseInt(byte, 16)]
        : [...new TextEncoder().encode(this.#tokens.pieces[id])];
    });
    const text = new TextDecoder().decode(Uint8Array.from(bytes));
    return ids[0] === BEGIN ? text.replace(/^ /u, "") : text;
  }
}
