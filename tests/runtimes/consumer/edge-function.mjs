// Vercel's edge runtime: a function as its build makes it, see ../edge.ts.

import * as main from "wasm-attention";
import * as blocks from "wasm-attention/blocks";
import * as cache from "wasm-attention/cache";
import * as positions from "wasm-attention/positions";
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
  ...weights,
};

addEventListener("fetch", (event) => {
  const answer = async () =>
    Response.json(await runBattery(wasmAttention, await event.request.json()));
  event.respondWith(answer());
});
