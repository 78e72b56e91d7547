// workerd and wrangler: an engine made before the first request, and a report of each request's options.

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

const early = await main.createAttention();
if (early.threads !== 1) throw new Error("threads in a worker");

export default {
  async fetch(request) {
    return Response.json(await runBattery(wasmAttention, await request.json()));
  },
};
