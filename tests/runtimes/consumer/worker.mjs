// workerd and wrangler: an engine made before the first request, and a report of each request's options.

import * as wasmAttention from "wasm-attention";
import { runBattery } from "./battery.js";

const early = await wasmAttention.createAttention();
if (early.threads !== 1) throw new Error("threads in a worker");

export default {
  async fetch(request) {
    return Response.json(await runBattery(wasmAttention, await request.json()));
  },
};
