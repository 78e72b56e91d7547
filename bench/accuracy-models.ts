// What the numbers of a cache cost a model: how far the probabilities of the next token move
// (Kullback–Leibler divergence) and how often the likeliest token stays the same. Texts are what each model
// writes itself at temperature 1 over a float32 cache, then read again over the others.

import { existsSync, readFileSync } from "node:fs";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { type CacheNumbers, cache } from "wasm-attention/cache";
import { positions } from "wasm-attention/positions";
import { Llama } from "../examples/llama/llama";
import { readLlama2c } from "../examples/llama/llama2c";
import { BEGIN } from "../examples/llama/tokenizer";
import { seeded } from "../examples/training/random";
import { draw, greedy, logSumExp, softmax } from "../examples/write/sampling";
import { unpackModel } from "../examples/write/weights";
import { Writer } from "../examples/write/writer";

/** Texts of so many tokens each. */
const [TEXTS, LENGTH] = [8, 500];

/** A text as a model reads it. */
interface Text {
  /** Logits [L, vocabulary] of what follows each of these tokens. */
  append(ids: readonly number[]): Float32Array;
  readonly bytes: number;
  dispose(): void;
}

interface Model {
  readonly name: string;
  readonly first: number;
  begin(numbers: CacheNumbers): Text;
}

async function models(): Promise<{ found: Model[]; missing: string[] }> {
  const attention = await createAttention({
    reproducible: true,
    extensions: [positions, cache, blocks],
  });
  const file = new URL("../examples/write/model.safetensors", import.meta.url);
  const writer = new Writer(attention, await unpackModel(readFileSync(file)));
  const moby: Model = {
    name: "Moby Dick (examples/write)",
    first: writer.model.vocabulary.encode("\n\n")[0] ?? 0,
    begin(numbers) {
      const text = writer.begin(1, numbers);
      return {
        append: (ids) => text.append([ids], { every: true }).logits.data,
        get bytes() {
          return text.memory.bytes;
        },
        dispose: () => text.dispose(),
      };
    },
  };
  const folder = `${process.env.MODELS_DIR}/stories260k`;
  if (!existsSync(folder)) {
    const missing =
      "The llama model is not among them: set MODELS_DIR to a folder with stories260k.";
    return { found: [moby], missing: [missing] };
  }
  const [weights, tokens] = ["stories260K.bin", "tok512.bin"].map((name) =>
    readFileSync(`${folder}/${name}`),
  );
  const llama = new Llama(attention, readLlama2c(weights, tokens));
  const stories: Model = {
    name: "llama, stories260K",
    first: BEGIN,
    begin(numbers) {
      const text = llama.begin(numbers);
      return {
        append: (ids) => text.append(ids).data,
        get bytes() {
          return text.bytes;
        },
        dispose: () => text.dispose(),
      };
    },
  };
  return { found: [stories, moby], missing: [] };
}

function write({ begin, first }: Model, seed: number): number[] {
  const text = begin("float32");
  const random = seeded(seed);
  const ids = [first];
  for (let count = 0; count < LENGTH; count++) {
    ids.push(draw(softmax(text.append(ids.slice(-1))), random));
  }
  text.dispose();
  return ids;
}

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
