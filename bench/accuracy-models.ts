// What the numbers of a cache cost a model: how far the probabilities of the next token move
// (Kullback–Leibler divergence) and how often the likeliest token stays the same. Texts are what each model
// writes itself at temperature 1 over a float32 cache, then read again over the others.

import type { CacheNumbers } from "wasm-attention/cache";
import { greedy, logSumExp } from "../examples/write/sampling";
import { LENGTH, models, write } from "./models";

/** Texts of so many tokens each. */
const TEXTS = 8;

/** Σ p · ln(p / q), both from logits. */
function divergence(truth: Float32Array, logits: Float32Array): number {
  const [p, q] = [logSumExp(truth), logSumExp(logits)];
  let sum = 0;
  for (const [id, logit] of truth.entries())
    sum += Math.exp(logit - p) * (logit - p - (logits[id] - q));
  return Math.max(0, sum);
}

export async function modelErrors(): Promise<{ rows: string[][]; missing: string[] }> {
  const { found, missing } = await models();
  const rows: string[][] = [];
  for (const model of found) {
    const texts = Array.from({ length: TEXTS }, (_, i) => write(model, i + 1));
    const read = (numbers: CacheNumbers) => {
      let bytes = 0;
      const logits = texts.map((ids) => {
        const text = model.begin(numbers);
        const data = text.append(ids.slice(0, -1));
        bytes += text.bytes;
        text.dispose();
        return data;
      });
      return { logits, bytes };
    };
    const truth = read("float32");
    for (const numbers of ["float32", "int16", "int8", "int4"] satisfies CacheNumbers[]) {
      const got = read(numbers);
      let [sum, most, same, loss, count] = [0, 0, 0, 0, 0];
      texts.forEach((ids, t) => {
        const width = truth.logits[t].length / LENGTH;
        for (let row = 0; row < LENGTH; row++) {
          const [a, b] = [truth, got].map(({ logits }) =>
            logits[t].subarray(row * width, (row + 1) * width),
          );
          const moved = divergence(a, b);
          sum += moved;
          most = Math.max(most, moved);
          same += Number(greedy(a) === greedy(b));
          loss += logSumExp(b) - b[ids[row + 1]];
          count++;
        }
      });
      rows.push([
        model.name,
        numbers,
        (sum / count).toExponential(1),
        most.toExponential(1),
        `${((100 * same) / count).toFixed(2)} %`,
        (loss / count).toFixed(4),
        `${((100 * got.bytes) / truth.bytes).toFixed(0)} %`,
      ]);
    }
  }
  return { rows, missing };
}
