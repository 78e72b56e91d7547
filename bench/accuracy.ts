// npm run accuracy: errors against float64, ours beside naive float32, onnxruntime-web and tfjs; and those of
// integers and of caches of fewer bits.

import { readFileSync } from "node:fs";
import { type Attention, createAttention, tensor } from "wasm-attention";
import { randomArray } from "../tests/engines";
import { activationErrors, searchErrors } from "./accuracy-activations";
import { cacheErrors } from "./accuracy-caches";
import { integerErrors } from "./accuracy-integers";
import { modelErrors } from "./accuracy-models";
import { onnxruntime } from "./peers/onnxruntime";
import type { Case, Peer } from "./peers/peer";
import { tableOf } from "./peers/table";
import { tfjs } from "./peers/tfjs";

interface Input extends Case {
  readonly name: string;
  /** Of the queries; keys and values are uniform in [−√3, √3), of variance 1. */
  readonly amplitude: number;
  /** Every so many rows are compared. */
  readonly step: number;
}

const UNIT = Math.sqrt(3);
const shape = { heads: 4, n: 512, d: 64, causal: false, step: 1 };
const inputs: Input[] = [
  { ...shape, name: "random", amplitude: UNIT },
  { ...shape, name: "random, causal", amplitude: UNIT, causal: true },
  { ...shape, name: "huge logits (±1000)", amplitude: 250 * UNIT },
  { ...shape, name: "long", amplitude: UNIT, heads: 1, n: 8192, step: 8 },
];

type Round = (x: number) => number;
type Arrays = readonly [query: Float32Array, key: Float32Array, value: Float32Array];

/** softmax(q·kᵀ/√d)·v of every `step`-th row, each operation rounded. */
function attention({ heads, n, d, causal, step }: Input, [q, k, v]: Arrays, round: Round) {
  const output = new Float64Array((q.length / step) | 0);
  const scores = new Float64Array(n);
  const scale = round(1 / Math.sqrt(d));
  let to = 0;
  for (let row = 0; row < heads * n; row += step, to += d) {
    const head = Math.floor(row / n) * n;
    const keys = causal ? (row % n) + 1 : n;
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < keys; j++) {
      let dot = 0;
      for (let i = 0; i < d; i++) dot = round(dot + round(q[row * d + i] * k[(head + j) * d + i]));
      scores[j] = round(dot * scale);
      largest = Math.max(largest, scores[j]);
    }
    let sum = 0;
    for (let j = 0; j < keys; j++) {
      scores[j] = round(Math.exp(round(scores[j] - largest)));
      sum = round(sum + scores[j]);
    }
    for (let j = 0; j < keys; j++) {
      const weight = round(scores[j] / sum);
      for (let i = 0; i < d; i++)
        output[to + i] = round(output[to + i] + round(weight * v[(head + j) * d + i]));
    }
  }
  return output;
}

function ours(engine: Attention): Peer {
  return {
    name: `ours, ${engine.variant}`,
    async prepare({ heads, n, d, causal }, query, key, value) {
      const wrap = (data: Float32Array) => tensor(data, [heads, n, d]);
      let output = new Float32Array(0);
      return {
        run() {
          const result = engine.attend(wrap(query), wrap(key), wrap(value), { causal });
          output = result.output.data as Float32Array<ArrayBuffer>;
        },
        output: () => output,
        dispose() {},
      };
    },
  };
}

/** Every `step`-th row of a whole output. */
function rowsOf(data: Float32Array, { d, step }: Input): Float32Array {
  return data.filter((_, at) => Math.floor(at / d) % step === 0);
}

function errorsOf(got: ArrayLike<number>, truth: Float64Array) {
  let most = 0;
  let sum = 0;
  for (let i = 0; i < truth.length; i++) {
    const error = Math.abs(got[i] - truth[i]);
    if (!(error <= most)) most = error;
    sum += error;
  }
  return { most, mean: sum / truth.length };
}

const relaxed = readFileSync(new URL("../dist/workerd/core.relaxed.wasm", import.meta.url));
const engines = [await createAttention({ reproducible: true })];
if (WebAssembly.validate(relaxed)) engines.push(await createAttention());

const rows: string[][] = [];
for (const [seed, input] of inputs.entries()) {
  const size = input.heads * input.n * input.d;
  const arrays: Arrays = [
    randomArray(size, 3 * seed + 1, input.amplitude),
    randomArray(size, 3 * seed + 2, UNIT),
    randomArray(size, 3 * seed + 3, UNIT),
  ];
  const truth = attention(input, arrays, (x) => x);
  const found = [
    { name: "naive float32", ...errorsOf(attention(input, arrays, Math.fround), truth) },
  ];
  for (const peer of [...engines.map(ours), onnxruntime(1), tfjs]) {
    try {
      const prepared = await peer.prepare(input, ...arrays);
      await prepared.run();
      found.push({ name: peer.name, ...errorsOf(rowsOf(prepared.output(), input), truth) });
      prepared.dispose();
    } catch (error) {
      rows.push([input.name, peer.name, `fails: ${String(error).slice(0, 60)}`, "", "", ""]);
    }
  }
  const least = Math.min(...found.map(({ most }) => most));
  const leastMean = Math.min(...found.map(({ mean }) => mean));
  for (const { name, most, mean } of found) {
    rows.push([
      input.name,
      name,
      most.toExponential(2),
      `${(most / least).toFixed(2)}×`,
      mean.toExponential(2),
      `${(mean / leastMean).toFixed(2)}×`,
    ]);
  }
}
console.log(
  tableOf(["input", "", "maximum error", "of the least", "mean error", "of the least"], rows),
);

console.log("\nIntegers: 40 queries over 1024 keys, 8192 of the sink, heads of 64");
console.log(
  tableOf(
    ["input", "precision", "relative error", "of the worst row", "cosine"],
    await integerErrors(),
  ),
);

console.log("\nIntegers on what models give their own heads, all layers; tokens in brackets");
const activations = await activationErrors();
console.log(
  tableOf(
    ["model", "precision", "relative error", "of the worst head", "of the worst row", "cosine"],
    activations.rows,
  ),
);
for (const why of activations.missing) console.log(why);

console.log("\nIntegers in the search of examples/semantic-search, against float32");
console.log(
  tableOf(
    ["precision", "questions that find the same first", "the same among 8", "least cosine"],
    await searchErrors(),
  ),
);

console.log("\nCaches: one query of 16 heads over 1024 keys");
console.log(
  tableOf(
    ["input", "numbers", "relative error", "divergence of the weights", "of float32's bytes"],
    await cacheErrors(),
  ),
);

console.log(
  "\nCaches on models: logits of what follows each token of texts that the model wrote, against those over float32",
);
const { rows: models, missing } = await modelErrors();
console.log(
  tableOf(
    [
      "model",
      "numbers",
      "mean divergence",
      "largest",
      "the same likeliest token",
      "−ln p of the text",
      "of float32's bytes",
    ],
    models,
  ),
);
for (const why of missing) console.log(why);
