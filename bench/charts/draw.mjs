// npm run bench:charts [-- FILE]: draws bench/charts/*.svg from the rows of a run and writes the table
// in bench/README.md between its markers. The figures are the run's, ours the median over its rows.
import { readFileSync, writeFileSync } from "node:fs";
import { parse, View } from "vega";
import { compile } from "vega-lite";
import { quantile } from "../paired.ts";
import { operationsOf } from "../rows.ts";
import { tableOf } from "./table.mjs";

const file = process.argv[2] ?? "bench/charts/run.json";
const { engine, rows } = JSON.parse(readFileSync(file, "utf8"));

const config = {
  aria: false,
  background: "white",
  font: "sans-serif",
  view: { stroke: "#ddd" },
  axis: { gridColor: "#eee", domainColor: "#888", tickColor: "#888" },
  legend: { labelLimit: 0, symbolType: "stroke", symbolSize: 250 },
};

async function draw(name, title, values, spec) {
  if (!values.length) throw new Error(`${file} has no rows for the chart ${name}`);
  const whole = { config, title: { text: title, subtitle: engine }, data: { values }, ...spec };
  const svg = await new View(parse(compile(whole).spec), { renderer: "none" }).toSVG();
  // No colour scheme of the page's reaches a picture: the background is its own.
  writeFileSync(new URL(`${name}.svg`, import.meta.url), `${svg}\n`);
  console.log(`bench/charts/${name}.svg`);
}

const threadsOf = ({ threads }) => (threads === 1 ? "1 thread" : `${threads} threads`);
const twelve = rows.filter(({ op, heads, d }) => op === "attend" && heads === 12 && d === 64);

/** One point a line and case: a peer's median, ours the median over its pairs. */
function points(picked, ours, theirs) {
  const found = new Map();
  const add = (line, row, value) => {
    if (value === undefined) return;
    const key = `${line} ${row.n} ${row.causal}`;
    const point = found.get(key) ?? { line, n: row.n, causal: row.causal, values: [], row };
    point.values.push(value);
    found.set(key, point);
  };
  for (const row of picked) {
    add(`ours, ${row.build}, ${threadsOf(row)}`, row, row[ours]);
    if (row.peer) add(`${row.peer}, ${threadsOf(row)}`, row, row[theirs]);
  }
  return [...found.values()].map(({ values, ...point }) => ({ ...point, value: quantile(values) }));
}

const order = [
  ...["relaxed, 2 threads", "relaxed, 1 thread", "portable, 2 threads", "portable, 1 thread"].map(
    (build) => `ours, ${build}`,
  ),
  "onnxruntime-node, 1 thread",
  "onnxruntime-web, 2 threads",
  "onnxruntime-web, 1 thread",
  "@jax-js/jax, 1 thread",
  "tfjs-backend-wasm, 1 thread",
  "naive TypeScript, 1 thread",
];
const colours = [
  ...["#b3261e", "#b3261e", "#f08a3c", "#f08a3c"],
  ...["#888888", "#1f5fbf", "#1f5fbf", "#8b5cc7", "#2f8f5b", "#b59b00"],
];
const dashes = order.map((line) => (line.includes("2 threads") ? [5, 3] : [1, 0]));

/** Lines over n in the same colours on every chart; those that have no point are left out. */
function lines(values, y) {
  const present = order.filter((name) => values.some(({ line }) => line === name));
  const scale = (range) => ({
    domain: present,
    range: present.map((n) => range[order.indexOf(n)]),
  });
  return {
    mark: { type: "line", point: { size: 28 }, strokeWidth: 2 },
    encoding: {
      x: { field: "n", type: "quantitative", scale: { type: "log", base: 2 }, title: "tokens n" },
      y: { field: "value", type: "quantitative", ...y },
      color: { field: "line", type: "nominal", title: null, scale: scale(colours) },
      strokeDash: { field: "line", type: "nominal", title: null, scale: scale(dashes) },
    },
  };
}

const times = points(twelve, "oursMs", "peerMs");
const speeds = times.map(({ row, value, ...point }) => ({
  ...point,
  mask: row.causal ? "causal" : "plain",
  value: operationsOf(row) / value / 1e6,
}));
await draw("speed", "Attention, 12 heads of 64: GFLOP/s of the products needed", speeds, {
  facet: { column: { field: "mask", title: null, sort: ["plain", "causal"] } },
  spec: { width: 330, height: 280, ...lines(speeds, { title: "GFLOP/s" }) },
});

const plain = times.filter(({ row }) => !row.causal && row.threads === 1);
const logarithmic = (title, format) => ({
  title,
  scale: { type: "log" },
  axis: { format, tickCount: 6 },
});
await draw("time", "Time of one call, 12 heads of 64, one thread", plain, {
  width: 480,
  height: 280,
  ...lines(plain, logarithmic("milliseconds", "~g")),
});

const memory = points(
  rows.filter(({ op }) => op === "memory"),
  "oursBytes",
  "peerBytes",
).filter(({ value }) => value > 0);
await draw("memory", "Peak memory of one call beside its tensors, one head of 64", memory, {
  width: 480,
  height: 280,
  ...lines(memory, logarithmic("bytes", "~s")),
});

const [begin, end] = ["<!-- bench:begin -->", "<!-- bench:end -->"];
const page = readFileSync("bench/README.md", "utf8");
const [from, to] = [page.indexOf(begin), page.indexOf(end)];
if (from < 0 || to < from) throw new Error(`bench/README.md has no ${begin} … ${end}`);
const table = `${begin}\n${engine}; medians.\n\n${tableOf(rows)}${end}`;
writeFileSync("bench/README.md", page.slice(0, from) + table + page.slice(to + end.length));
console.log("bench/README.md, between its markers");
