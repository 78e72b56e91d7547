// Vercel's edge runtime: a function as its build makes it, see ../edge.ts.

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

addEventListener("fetch", (event) => {
  const answer = async () =>
    Response.json(await runBattery(wasmAttention, await event.request.json()));
  event.respondWith(answer());
});
