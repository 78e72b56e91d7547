// How far what was said is from what should have been.

/** Sounds to be put in, taken out or changed to make one of the other (Levenshtein 1966). */
export function distance(a: readonly number[], b: readonly number[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, x] of a.entries()) {
    const next = [i + 1];
    for (const [j, y] of b.entries())
      next.push(Math.min(row[j] + (x === y ? 0 : 1), row[j + 1] + 1, next[j] + 1));
    row = next;
  }
  return row[b.length];
}

export interface Errors {
  /** Wrong sounds, of all of the ways that were nearest. */
  readonly sounds: number;
  /** Words that are not said right to the end. */
  readonly words: number;
}

/** Against the nearest of the ways in which each word is said. */
export function errorsOf(
  said: readonly (readonly number[])[],
  wanted: readonly (readonly (readonly number[])[])[],
): Errors {
  let [wrong, all, words] = [0, 0, 0];
  for (const [i, ways] of wanted.entries()) {
    const each = ways.map((way) => distance(said[i], way));
    const least = Math.min(...each);
    wrong += least;
    all += ways[each.indexOf(least)].length;
    words += least > 0 ? 1 : 0;
  }
  return { sounds: wrong / all, words: words / wanted.length };
}
