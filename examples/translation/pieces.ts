// Words cut into pieces that are learnt from a corpus, so that einundzwanzig becomes ein·und·zwanzig.
//
// A cut falls where many letters may follow what stands before it, and many precede what stands
// after it (Harris 1955, "From phoneme to morpheme"): it depends on how many combinations there
// are, not on how frequent they are, as byte-pair encoding does, which soon gives zigtausend.

/** Begins a word, so that spaces can be put back. */
const SPACE = "▁";
export const PADDING = 0;
export const BEGIN = 1;
export const END = 2;
export const UNKNOWN = 3;
const MARKS = ["", "‹", "›", "�"];

/** Letters before and after a cut that are looked at. */
const CONTEXT = 3;
/** Different letters that must be known to follow those before, and to precede those after. */
const FEWEST_FOLLOWERS = 2;
const FEWEST_FORERUNNERS = 3;
/** Pieces seen less often are spelt in letters. */
const FEWEST = 3;

export class Pieces {
  readonly #names: readonly string[];
  readonly #ids: Map<string, number>;
  readonly #longest: number;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#ids = new Map(names.map((name, id) => [name, id]));
    this.#longest = Math.max(...names.map(({ length }) => length));
  }

  /** At most `most` pieces, and every letter. */
  static learn(texts: readonly string[], most = 1000): Pieces {
    const words = count(texts.flatMap(wordsOf));
    const letters = [...new Set(Array.from(words.keys()).flatMap((word) => [...word]))].sort();
    // Few different words, as in a language that writes them apart, are pieces as they are.
    const found = words.size <= most / 4 ? words : cutAll(words);
    const frequent = Array.from(found)
      .filter(([piece, times]) => piece.length > 1 && times >= FEWEST)
      .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
      .slice(0, most);
    return new Pieces([...MARKS, ...letters, ...frequent.map(([piece]) => piece)]);
  }

  get names(): readonly string[] {
    return this.#names;
  }

  encode(text: string): number[] {
    return wordsOf(text).flatMap((word) => this.#fewest(word));
  }

  decode(ids: readonly number[]): string {
    return ids
      .map((id) => this.#names[id])
      .join("")
      .replaceAll(SPACE, " ")
      .trim();
  }

  /** A piece as a person reads it. */
  name(id: number): string {
    return this.#names[id].replace(SPACE, "") || "·";
  }

  /** The fewest pieces that spell a word; of as many, those with the longest last. */
  #fewest(word: string): number[] {
    const best: { pieces: number; from: number; id: number }[] = [{ pieces: 0, from: 0, id: 0 }];
    for (let end = 1; end <= word.length; end++) {
      best[end] = { pieces: Infinity, from: end - 1, id: UNKNOWN };
      for (let from = Math.max(0, end - this.#longest); from < end; from++) {
        const id = this.#ids.get(word.slice(from, end));
        const pieces = best[from].pieces + 1;
        if (id !== undefined && pieces < best[end].pieces) best[end] = { pieces, from, id };
      }
      if (best[end].pieces === Infinity) best[end].pieces = best[end - 1].pieces + 1;
    }
    const ids: number[] = [];
    for (let end = word.length; end > 0; end = best[end].from) ids.unshift(best[end].id);
    return ids;
  }
}

/** A hyphen ends a word and begins one. */
function wordsOf(text: string): string[] {
  const words = text.split(/\s+/u).filter((word) => word !== "");
  return words.flatMap((word) => (SPACE + word).split(/(?<=-)|(?=-)/u));
}

function count(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

/** How often each piece comes of cutting the words. */
function cutAll(words: ReadonlyMap<string, number>): Map<string, number> {
  const followers = new Map<string, Set<string>>();
  const forerunners = new Map<string, Set<string>>();
  const note = (neighbours: Map<string, Set<string>>, context: string, letter: string) => {
    const known = neighbours.get(context);
    if (known) known.add(letter);
    else neighbours.set(context, new Set([letter]));
  };
  const sides = (letters: readonly string[], at: number) => [
    letters.slice(Math.max(0, at - CONTEXT), at).join(""),
    letters.slice(at, at + CONTEXT).join(""),
  ];
  for (const word of words.keys()) {
    const letters = [...word, ""];
    for (let at = 1; at < letters.length; at++) {
      const [before, after] = sides(letters, at);
      note(followers, before, letters[at]);
      if (after !== "") note(forerunners, after, letters[at - 1]);
    }
  }
  const pieces = new Map<string, number>();
  for (const [word, times] of words) {
    const letters = [...word];
    const variety = letters.map((_, at) => {
      const [before, after] = sides(letters, at);
      const [next, previous] = [
        followers.get(before)?.size ?? 0,
        forerunners.get(after)?.size ?? 0,
      ];
      return next >= FEWEST_FOLLOWERS && previous >= FEWEST_FORERUNNERS ? next * previous : 0;
    });
    let begun = 0;
    for (let at = 1; at <= letters.length; at++) {
      const peak = variety[at] > variety[at - 1] && variety[at] >= (variety[at + 1] ?? 0);
      const cut = peak && letters[at - 1] !== SPACE;
      if (at < letters.length && !cut) continue;
      const piece = letters.slice(begun, at).join("");
      pieces.set(piece, (pieces.get(piece) ?? 0) + times);
      begun = at;
    }
  }
  return pieces;
}
