// Vercel's edge runtime: a function as its build makes it, see ../edge.ts.

import { runBattery } from "./battery.js";

addEventListener("fetch", (event) => {
  const answer = async () => Response.json(await runBattery(await event.request.json()));
  event.respondWith(answer());
});
