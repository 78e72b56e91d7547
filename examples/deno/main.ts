// Attention is kernel regression (Nadaraya and Watson, 1964): a smoothed series is the mean of its
// values, weighted by e^(−((t − u)/h)²/2). The scores are that exponent itself, written by a scoreMod:
// as a product of query and key it would be the difference of two numbers that grow with t².

import { createAttention, type ScoreTile, tensor } from "wasm-attention";

const [width = "2", ...words] = Deno.args;
const h = numberOf(width);
const series = Float32Array.from(words, (word) => numberOf(word));
if (!(h > 0) || series.length === 0) refuse("deno task start WIDTH NUMBERS…, with a width above 0");

/** Past 15 widths a weight is e^−112, which is 0 in float32. */
const reach = Math.min(series.length, Math.ceil(15 * h));

function bell({ scores, query, key, rows, columns }: ScoreTile): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      scores[i * columns + j] = -(((query + i - key - j) / h) ** 2) / 2;
    }
  }
}

using attention = await createAttention();
const time = tensor(new Float32Array(series.length), [series.length, 1]);
const values = tensor(series, [series.length, 1]);
const window = { left: reach, right: reach };
const { output } = attention.attend(time, time, values, { scoreMod: bell, window });
console.log([...output.data].map((value) => value.toFixed(4)).join(" "));

function numberOf(word: string): number {
  const number = word.trim() === "" ? NaN : Number(word);
  return Number.isFinite(Math.fround(number)) ? number : refuse(`"${word}" is not a number`);
}

function refuse(word: string): never {
  console.error(word);
  Deno.exit(2);
}
