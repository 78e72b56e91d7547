// The whole benchmark, in the engine that runs this file.

import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { type Attention, createAttention } from "wasm-attention";
import { benchAttend, cases, decoding } from "./attend";
import { backwardCases, benchBackward } from "./backward";
import { coldStart } from "./coldstart";
import { benchKernels } from "./kernels";
import { jax } from "./peers/jax";
import { naive } from "./peers/naive";
import { onnxruntime } from "./peers/onnxruntime";
import { onnxruntimeNode } from "./peers/onnxruntime-node";
import { tableOf } from "./peers/table";
import { tfjs } from "./peers/tfjs";
import { roofline } from "./roofline/index";
import { cells, columns, type Row } from "./rows";

const { values } = parseArgs({
  options: { json: { type: "string" }, quick: { type: "boolean", default: false } },
});

const relaxed = readFileSync(new URL("../dist/relaxed.wasm", import.meta.url));
const engines: Attention[] = [await createAttention({ reproducible: true })];
if (WebAssembly.validate(relaxed)) engines.push(await createAttention());

console.log(
  `Node ${process.versions.node} (V8 ${process.versions.v8}), ${cpus()[0].model}, one thread`,
);
console.log(
  `builds: ${engines.map((e) => `${e.variant}${e.fused ? " (fused)" : ""}`).join(", ")}\n`,
);

const giga = (rate: number) => (rate / 1e9).toFixed(1);

for (const attention of values.quick ? [] : engines) {
  console.log(`our calls, ${attention.variant}`);
  benchKernels(attention);
}

const rows: Row[] = [];
const report = (row: Row) => {
  rows.push(row);
  process.stderr.write(".");
};
const peers = [onnxruntime, tfjs, naive, ...(values.quick ? [] : [onnxruntimeNode, jax])];
for (const attention of engines) {
  const roof = roofline(attention.variant);
  console.log(
    `${roof.build}: ${giga(roof.tileRate(64))} GFLOP/s in tiles of head size 64, ` +
      `${giga(roof.peak)} on registers, ${giga(roof.exponentials)}·10⁹ e^x/s, ` +
      `${giga(roof.bandwidth)} GB/s read`,
  );
  const chosen = values.quick ? cases.filter(({ n }) => n <= 128) : cases;
  await benchAttend(attention, roof, peers, chosen, "Float32Arrays", report);
  const inPlace = values.quick ? decoding.slice(0, 1) : [...decoding, ...cases.slice(-1)];
  await benchAttend(attention, roof, peers, inPlace, "allocated", report);
  const training = values.quick ? backwardCases.slice(0, 1) : backwardCases;
  await benchBackward(attention, training, report);
}
process.stderr.write("\n");
if (!values.quick) {
  const cold = { op: "cold start", build: engines.at(-1)?.variant ?? "", threads: 1 };
  rows.push({ ...cold, peer: onnxruntime.name, ...coldStart() });
}

console.log(tableOf(columns, rows.map(cells)));
if (values.json) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
