// In the terminal: how loud the sound is, and below it for each word where it looked.

import type { Word } from "./words";

const SHADES = " ░▒▓█";
const BARS = " ▁▂▃▄▅▆▇█";

/** A character for each number, by its share of the largest. */
const drawn = (numbers: Float32Array, characters: string, most = Math.max(...numbers)) =>
  Array.from(
    numbers,
    (x) => characters[most > 0 ? Math.ceil((x / most) * (characters.length - 1) - 0.2) : 0],
  ).join("");

/** Lines of `columns` characters and their names before them. */
export function picture(
  words: readonly Word[],
  loudness: Float32Array,
  at: number,
): readonly string[] {
  const columns = loudness.length;
  const width = Math.max(...words.map(({ text }) => text.length), 5);
  const lines = words.map(({ text, time, look }) => {
    const name = `${text.padStart(width)} ${(at + time).toFixed(1).padStart(6)} s `;
    return `${name}│${drawn(gathered(look, columns), SHADES)}│`;
  });
  return [`${"sound".padStart(width)}          │${drawn(loudness, BARS)}│`, ...lines];
}

/** Sums of so many equal parts. */
function gathered(look: Float32Array, columns: number): Float32Array {
  const sums = new Float32Array(columns);
  look.forEach((weight, i) => {
    sums[Math.floor((i * columns) / look.length)] += weight;
  });
  return sums;
}
