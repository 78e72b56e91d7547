// A name that does not exist, and the one that it was meant to be.

import { ArgumentError } from "wasm-attention";

/** The error of an argument or option that does not exist, with the likely one or all of them. */
export function unknownName(
  operation: string,
  name: string,
  names: readonly string[],
): ArgumentError {
  const likely = likelyName(name, names);
  const expected = likely ? `the name "${likely}"` : `one of ${names.join(", ")}`;
  return new ArgumentError(operation, name, expected, "an option that does not exist");
}

/** The name that contains it, is contained in it, or is spelt most nearly alike. */
function likelyName(name: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.replaceAll("_", "").toLowerCase();
  const wanted = plain(name);
  const near = names
    .map((one) => {
      const other = plain(one);
      const within = wanted.length > 3 && (other.includes(wanted) || wanted.includes(other));
      return { one, steps: within ? 1 : distance(wanted, other), letters: other.length };
    })
    .filter(({ steps, letters }) => steps <= Math.max(letters, wanted.length) / 3)
    .sort((a, b) => a.steps - b.steps);
  return near[0]?.one;
}

/** How many letters to change, insert or leave out (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
