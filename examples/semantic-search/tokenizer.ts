// SentencePiece with a unigram model (Kudo 2018, "Subword regularization"): of all ways to cut a
// text into pieces of the vocabulary, the one with the largest sum of scores, found by dynamic
// programming over the text's code points.

export type Vocabulary = readonly (readonly [piece: string, score: number])[];

/** Stands for a space, so that pieces keep where words begin. */
const SPACE = "▁";
const UNKNOWN = 0;
/** Unknown, begin, end and three unused: pieces that no text contains. */
const RESERVED = 6;

interface Match {
  readonly id: number;
  readonly score: number;
  /** In code points. */
  readonly length: number;
}

export class Tokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #ids = new Map<string, number>();
  #longest = 1;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    for (let id = RESERVED; id < vocabulary.length; id++) {
      const [piece] = vocabulary[id];
      this.#ids.set(piece, id);
      this.#longest = Math.max(this.#longest, [...piece].length);
    }
  }

  /** Ids of the pieces; neighbouring unknown characters become one unknown piece. */
  encode(text: string): number[] {
    const normalized = text.normalize("NFKC");
    if (normalized === "") return [];
    const characters = [...(SPACE + normalized.replaceAll(" ", SPACE))];
    const pieces: Match[] = new Array(characters.length + 1);
    // A best score of 0 counts as none: a tie goes to the later and so shorter piece.
    const best = new Float64Array(characters.length + 1);
    for (let start = 0; start < characters.length; start++) {
      for (const match of this.#matches(characters, start)) {
        const end = start + match.length;
        const score = match.score + best[start];
        if (best[end] === 0 || score >= best[end]) {
          best[end] = score;
          pieces[end] = match;
        }
      }
    }
    const ids: number[] = [];
    for (let end = characters.length; end > 0; end -= pieces[end].length) {
      const { id } = pieces[end];
      if (id !== UNKNOWN || ids.at(-1) !== UNKNOWN) ids.push(id);
    }
    return ids.reverse();
  }

  /** A piece as a person reads it: its space, if any, is dropped. */
  read(id: number): string {
    return this.#vocabulary[id][0].replaceAll(SPACE, "") || "␣";
  }

  /** Every piece that begins at `start`, the shortest first; an unknown character if there is none. */
  *#matches(characters: readonly string[], start: number): Generator<Match> {
    let found = false;
    let piece = "";
    const most = Math.min(this.#longest, characters.length - start);
    for (let length = 1; length <= most; length++) {
      piece += characters[start + length - 1];
      const id = this.#ids.get(piece);
      if (id === undefined) continue;
      found = true;
      yield { id, score: this.#vocabulary[id][1], length };
    }
    if (!found) yield { id: UNKNOWN, score: 0, length: 1 };
  }
}
