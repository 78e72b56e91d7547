// What the numbers of a cache cost: the error of one query's output over keys and values that are stored in
// fewer bits, relative to the output (root mean squares), and how far the weights moved
// (Kullback–Leibler divergence), against float64 over the numbers themselves.

import { createAttention, tensor } from "wasm-attention";
import { type CacheNumbers, cache, createCache } from "wasm-attention/cache";
import { randomArray } from "../tests/engines";

const [HEADS, KEYS, SIZE] = [16, 1024, 64];

type Arrays = readonly [query: Float32Array, key: Float32Array, value: Float32Array];
const UNIT = Math.sqrt(3);

/** Every float of channel `channel` of each row by `change`. */
function change(data: Float32Array, channel: number, by: (x: number) => number): Float32Array {
  return data.map((x, i) => (i % SIZE === channel ? by(x) : x));
}

const plain = (): Arrays => [
  randomArray(HEADS * SIZE, 1, UNIT),
  randomArray(HEADS * KEYS * SIZE, 2, UNIT),
  randomArray(HEADS * KEYS * SIZE, 3, UNIT),
];

/** The first key of each head draws most of the attention, and its value is small. */
function sink([query, key, value]: Arrays): Arrays {
  const [keys, values] = [key.slice(), value.slice()];
  for (let h = 0; h < HEADS; h++) {
    const at = h * KEYS * SIZE;
    for (let i = 0; i < SIZE; i++) {
      keys[at + i] = 1.2 * (query[h * SIZE + i] as number);
      values[at + i] = (value[at + i] as number) / 100;
    }
  }
  return [query, keys, values];
}

const inputs: Record<string, Arrays> = {
  random: plain(),
  "a channel of keys + 20": [plain()[0], change(plain()[1], 5, (x) => x + 20), plain()[2]],
  "a channel of keys × 20": [plain()[0], change(plain()[1], 5, (x) => x * 20), plain()[2]],
  "channels of values × 20": [plain()[0], plain()[1], change(plain()[2], 7, (x) => x * 20)],
  "an attention sink": sink(plain()),
};

/** In float64: output [H, D] and weights [H, S]. */
function truthOf([query, key, value]: Arrays) {
  const output = new Float64Array(HEADS * SIZE);
  const weights = new Float64Array(HEADS * KEYS);
  for (let h = 0; h < HEADS; h++) {
    const scores = Array.from({ length: KEYS }, (_, j) => {
      let dot = 0;
      for (let i = 0; i < SIZE; i++)
        dot += (query[h * SIZE + i] as number) * (key[(h * KEYS + j) * SIZE + i] as number);
      return dot / Math.sqrt(SIZE);
    });
    const largest = Math.max(...scores);
    const sum = scores.reduce((total, s) => total + Math.exp(s - largest), 0);
    for (const [j, s] of scores.entries()) {
      const weight = Math.exp(s - largest) / sum;
      weights[h * KEYS + j] = weight;
      for (let i = 0; i < SIZE; i++)
        output[h * SIZE + i] =
          (output[h * SIZE + i] as number) + weight * (value[(h * KEYS + j) * SIZE + i] as number);
    }
  }
  return { output, weights };
}

export async function cacheErrors(): Promise<string[][]> {
  const attention = await createAttention({ extensions: [cache], reproducible: true });
  const rows: string[][] = [];
  for (const [name, arrays] of Object.entries(inputs)) {
    const [query, key, value] = arrays;
    const truth = truthOf(arrays);
    for (const numbers of ["float32", "int16", "int8", "int4"] satisfies CacheNumbers[]) {
      using stored = createCache(attention, { keyValueHeads: HEADS, headSize: SIZE, numbers });
      const dims = [1, HEADS, KEYS, SIZE];
      stored.append(tensor(key, dims), tensor(value, dims));
      const { output, weights } = stored.attend(tensor(query, [1, HEADS, 1, SIZE]), {
        weights: true,
      });
      const difference = truth.output.map((x, i) => x - (output.data[i] as number));
      let divergence = 0;
      for (const [i, p] of truth.weights.entries())
        if (p > 0)
          divergence += (p * Math.log(p / Math.max(weights.data[i] as number, 1e-45))) / HEADS;
      rows.push([
        name,
        numbers,
        (Math.hypot(...difference) / Math.hypot(...truth.output)).toExponential(1),
        Math.max(divergence, 0).toExponential(1),
        `${((100 * stored.memory.bytes) / (HEADS * KEYS * SIZE * 8)).toFixed(0)} %`,
      ]);
    }
  }
  attention.dispose();
  return rows;
}
