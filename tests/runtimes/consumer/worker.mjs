// workerd and wrangler: an engine made before the first request, and a report of each request's options.

import { createAttention } from "wasm-attention";
import { runBattery } from "./battery.js";

const early = await createAttention();
if (early.threads !== 1) throw new Error("threads in a worker");

export default {
  async fetch(request) {
    return Response.json(await runBattery(await request.json()));
  },
};
