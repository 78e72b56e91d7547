// npm run pictures: draws docs/pictures/*.svg from what the library computes.
import { writeFileSync } from "node:fs";
import { parse, View } from "vega";
import { compile } from "vega-lite";
import { createAttention, tensor } from "../../dist/node/index.js";

const attention = await createAttention({ reproducible: true });
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
const cells = Object.entries(masks).flatMap(([mask, options]) => {
  const { data } = attention.attend(q, k, k, { ...options, scale: 2, weights: true }).weights;
  return Array.from(data, (weight, at) => ({
    mask,
    query: Math.floor(at / n),
    key: at % n,
    weight: weight || null,
  }));
});
await draw("masks", {
  data: { values: cells },
  columns: 3,
  facet: { field: "mask", title: null, sort: Object.keys(masks) },
  spec: {
    width: 150,
    height: 150,
    mark: "rect",
    encoding: {
      x: { field: "key", type: "ordinal", axis: { labels: false, ticks: false } },
      y: { field: "query", type: "ordinal", axis: { labels: false, ticks: false } },
      color: {
        field: "weight",
        type: "quantitative",
        scale: { scheme: "blues", type: "sqrt" },
        legend: { title: "weight" },
      },
    },
  },
});

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
