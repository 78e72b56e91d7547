// Which name a misspelt one was meant to be.

/** ` (did you mean "numHeads"?)`, or nothing where no name is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const plain = (text: string) => text.replaceAll("_", "").toLowerCase();
  const wanted = plain(name);
  const far = ({ length }: string) => Math.max(length, wanted.length) / 3;
  const near = known
    .map((one) => {
      const other = plain(one);
      const within = wanted.length > 3 && (other.includes(wanted) || wanted.includes(other));
      const steps = within ? 1 : distance(wanted, other);
      return { one, steps, near: steps <= far(other) };
    })
    .filter(({ near }) => near)
    .sort((a, b) => a.steps - b.steps)[0];
  return near ? ` (did you mean "${near.one}"?)` : "";
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
