// npm run pictures: draws docs/pictures/*.svg from what the library computes.
import { writeFileSync } from "node:fs";
import { parse, View } from "vega";
import { compile } from "vega-lite";
import { createAttention, tensor } from "../../dist/node/index.js";
import * as other from "../../dist/node/variants.js";

const attention = await createAttention({ reproducible: true, extensions: [other.variants] });
const config = {
  background: "white",
  font: "sans-serif",
  view: { stroke: null },
  legend: { labelLimit: 0 },
};

async function draw(name, spec) {
  const view = new View(parse(compile({ config, ...spec }).spec), { renderer: "none" });
  const svg = await view.toSVG();
  writeFileSync(new URL(`${name}.svg`, import.meta.url), `${svg}\n`);
  console.log(`docs/pictures/${name}.svg`);
}

/** Numbers that are the same on every machine, uniform in [−1, 1). */
function randomTensor(dims, seed) {
  let state = seed;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  };
  const size = dims.reduce((a, b) => a * b, 1);
  return tensor(Float32Array.from({ length: size }, next), dims);
}

const n = 12;
const [q, k] = [1, 2].map((seed) => randomTensor([n, 8], seed));

/** Heat maps of weights [rows, keys] side by side, by their titles; nothing where a weight is 0. */
async function maps(name, columns, titled, color) {
  const titles = Object.keys(titled);
  const values = Object.entries(titled).flatMap(([title, { data, dims }]) =>
    Array.from(data, (weight, at) => ({
      title,
      query: Math.floor(at / dims.at(-1)),
      key: at % dims.at(-1),
      weight,
    })).filter(({ weight }) => weight !== 0),
  );
  const axis = (field) => ({
    ...{ field, type: "ordinal", axis: { labels: false, ticks: false } },
    scale: { domain: Array.from({ length: n }, (_, i) => i) },
  });
  await draw(name, {
    data: { values },
    columns,
    facet: { field: "title", title: null, sort: titles },
    spec: {
      ...{ width: 150, height: 150, mark: "rect" },
      encoding: {
        x: axis("key"),
        y: axis("query"),
        color: {
          field: "weight",
          type: "quantitative",
          scale: color ?? { scheme: "blues", type: "sqrt", domain: [0, 1] },
          legend: { title: "weight" },
        },
      },
    },
  });
}

const block = (i, j) => (i === j || j === 0 ? 1 : 0);
const masks = {
  none: {},
  "causal: true": { causal: true },
  "causal, window left 3": { causal: true, window: { left: 3 } },
  "window left 2, right 2": { window: { left: 2, right: 2 } },
  "blockMask of size 4": {
    blockMask: {
      data: Uint8Array.from({ length: 9 }, (_, at) => block(Math.floor(at / 3), at % 3)),
      dims: [1, 1, 3, 3],
      size: 4,
    },
  },
  "alibi, slope 1/2": { alibi: { slopes: [0.5] } },
};
const attended = (options) =>
  attention.attend(q, k, k, { scale: 2, ...options, weights: true }).weights;
const six = Object.entries(masks).map(([mask, options]) => [mask, attended(options)]);
await maps("masks", 3, Object.fromEntries(six), { scheme: "blues", type: "sqrt" });

// Other kinds, each beside the softmax of the same scores or of its own.
const softmax = { softmax: attended({}) };
const causal = { "softmax, causal": attended({ causal: true }) };
const eye = tensor(
  Float32Array.from({ length: n * n }, (_, at) => (at % (n + 1) ? 0 : 1)),
  [n, n],
);
/** What a state gives for values that are unit vectors: the weight of each. */
const stated = (options) =>
  other.linearAttention(attention, q, k, eye, { featureMap: "elu", ...options }).output;
const decay = tensor(new Float32Array(n).fill(-0.5), [n, 1]);
const beta = tensor(new Float32Array(n).fill(1), [n, 1]);
const unit = tensor(
  k.data.map((x, at) => x / Math.hypot(...k.data.slice(8 * (at >> 3), 8 * (at >> 3) + 8))),
  k.dims,
);
const plain = { featureMap: undefined, normalize: false, scale: 1 };
const delta = (rule) =>
  other.linearAttention(attention, unit, unit, eye, { ...plain, ...rule, beta }).output;
await maps("state", 3, {
  ...causal,
  "linear, elu + 1": stated({}),
  "gated, decay −½": stated({ updateRule: "gated", decay }),
});
const summed = other.linearAttention(attention, unit, unit, eye, plain).output;
await maps(
  "delta",
  3,
  {
    "linear, queries = keys": summed,
    "delta, β = 1": delta({ updateRule: "delta" }),
    "gated_delta, decay −½": delta({ updateRule: "gated_delta", decay }),
  },
  { scheme: "redblue", domain: [-1, 1] },
);

/** Where tanh bends. */
const wide = (x) =>
  tensor(
    x.data.map((value) => 4 * value),
    x.dims,
  );
const scoreWeight = new Float32Array(8).fill(2);
const added = other.additiveAttention(attention, wide(q), wide(k), k, {
  scoreWeight,
  weights: true,
});
await maps("additive", 2, { ...softmax, "additive, v = 2": added.weights });

// A beginning, and behind it three sounds again and again: a channel of 2 for each, of −2 where it is not. Query i
// asks for the sound of key i.
const sounds = Float32Array.from({ length: n * 4 }, (_, at) =>
  at % 4 === (at < 4 ? 0 : 1 + ((Math.floor(at / 4) - 1) % 3)) ? 2 : -2,
);
// More where the key before had the weight, less where weight has been.
const filters = tensor(Float32Array.of(1.5, 0, 0, 0, -2, 0), [1, 2, 3]);
const steps = (location) => {
  const [key, locationWeight] = [
    tensor(sounds, [1, n, 4]),
    tensor(new Float32Array(4).fill(location), [1, 4]),
  ];
  const score = {
    scoreWeight: new Float32Array(4).fill(6),
    scoreBias: new Float32Array(4).fill(-3.5),
  };
  let state;
  const rows = Array.from({ length: n }, (_, i) => {
    const query = tensor(sounds.slice(4 * i, 4 * i + 4), [1, 4]);
    const options = { ...score, filters, locationWeight, state };
    const step = other.locationSensitiveAttention(attention, query, key, key, options);
    state = step.state;
    return Array.from(step.weights.data);
  });
  return tensor(Float32Array.from(rows.flat()), [n, n]);
};
await maps("location", 2, {
  "additive: where the sound is": steps(0),
  "and where weights have been": steps(1),
});

const logits = attention.attend(q, k, k, { scale: 4, scores: "raw" }).scores;
const only = (mode) => other.monotonicAttention(attention, logits, { logits: true, mode });
await maps("monotonic", 3, {
  softmax: attended({ scale: 4 }),
  "monotonic, expected": only("recursive"),
  "monotonic, hard": only("hard"),
});

const sparse = (alpha) =>
  other.sparseAttend(attention, q, k, k, { alpha, scale: 2, weights: true }).weights;
await maps("entmax", 3, { ...softmax, "entmax, α = 1.5": sparse(1.5), sparsemax: sparse(2) });

const spanned = { scale: 2, spans: 2, ramp: 4, causal: true, weights: true };
const { weights: near } = other.spanAttend(attention, q, k, k, spanned);
await maps("span", 2, { ...causal, "span 2, ramp 4": near });

const minus = attention.attend(k, q, q, { scale: 2, causal: true, weights: true }).weights;
await maps(
  "differential",
  2,
  {
    ...causal,
    "differential, λ = ½": tensor(
      attended({ causal: true }).data.map((x, at) => x - 0.5 * minus.data[at]),
      [n, n],
    ),
  },
  { scheme: "redblue", domain: [-1, 1] },
);

// One row's softmax while its keys stream by, four at a time.
const row = Array.from({ length: 24 }, (_, j) => 3 * Math.sin(j * 1.7) + j / 6);
const states = [];
let [m, l] = [Number.NEGATIVE_INFINITY, 0];
for (let from = 0; from < row.length; from += 4) {
  const tile = row.slice(from, from + 4);
  const next = Math.max(m, ...tile);
  l = l * Math.exp(m - next) + tile.reduce((sum, s) => sum + Math.exp(s - next), 0);
  m = next;
  states.push({ keys: from + 4, value: m, what: "m, the largest score" });
  states.push({ keys: from + 4, value: m + Math.log(l), what: "m + ln l, the logSumExp" });
}
await draw("online-softmax", {
  width: 480,
  height: 200,
  layer: [
    {
      data: { values: row.map((score, j) => ({ keys: j + 1, value: score, what: "scores" })) },
      mark: { type: "point", filled: true, color: "#999" },
      encoding: {
        x: { field: "keys", type: "quantitative", title: "keys seen" },
        y: { field: "value", type: "quantitative", title: "score (grey: of each key)" },
      },
    },
    {
      data: { values: states },
      mark: { type: "line", interpolate: "step-after", point: true },
      encoding: {
        x: { field: "keys", type: "quantitative" },
        y: { field: "value", type: "quantitative" },
        color: { field: "what", type: "nominal", title: null },
      },
    },
  ],
});

// What a call takes beside its tensors, and what a matrix of scores would.
const memory = [];
for (const length of [256, 512, 1024, 2048, 4096, 8192, 16384]) {
  const engine = await createAttention({ reproducible: true });
  const tensors = [0, 1, 2, 3].map(() => engine.allocate([1, 1, length, 64]));
  const before = engine.memory.reserved;
  engine.attend(tensors[0], tensors[1], tensors[2], { out: tensors[3] });
  memory.push({ n: length, bytes: engine.memory.reserved - before, what: "attend, measured" });
  memory.push({ n: length, bytes: 4 * length * length, what: "one matrix of scores, n²" });
  engine.dispose();
}
await draw("memory", {
  width: 480,
  height: 220,
  data: { values: memory },
  mark: { type: "line", point: true },
  encoding: {
    x: {
      field: "n",
      type: "quantitative",
      scale: { type: "log", base: 2 },
      title: "tokens n, one head of 64",
    },
    y: {
      field: "bytes",
      type: "quantitative",
      scale: { type: "log" },
      axis: { format: "~s" },
      title: "bytes beside the tensors",
    },
    color: { field: "what", type: "nominal", title: null },
  },
});
