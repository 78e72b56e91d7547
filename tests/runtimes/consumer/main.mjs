// Node, Deno and Bun: the package imported as anyone would, one report for each of the options given.

import * as main from "wasm-attention";
import * as blocks from "wasm-attention/blocks";
import * as cache from "wasm-attention/cache";
import * as integers from "wasm-attention/integers";
import * as positions from "wasm-attention/positions";
import * as quantized from "wasm-attention/quantized";
import * as shards from "wasm-attention/shards";
import * as training from "wasm-attention/training";
import * as variants from "wasm-attention/variants";
import * as weights from "wasm-attention/weights";
import { runBattery } from "./battery.js";

const wasmAttention = {
  ...main,
  ...blocks,
  ...cache,
  ...positions,
  ...training,
  ...variants,
  ...integers,
  ...quantized,
  ...shards,
  ...weights,
};

const reports = [];
for (const options of JSON.parse(process.argv[2])) {
  reports.push(await runBattery(wasmAttention, options));
}
const version = globalThis.Deno?.version.deno ?? globalThis.Bun?.version ?? process.versions.node;
console.log(JSON.stringify({ version, reports }));
