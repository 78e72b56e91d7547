// Vercel's edge runtime: a function as its build makes it, see ../edge.ts.

import * as wasmAttention from "wasm-attention";
import { runBattery } from "./battery.js";

addEventListener("fetch", (event) => {
  const answer = async () =>
    Response.json(await runBattery(wasmAttention, await event.request.json()));
  event.respondWith(answer());
});
