// POST { query, documents }, all texts or all vectors → how much each document answers the query.

import { createAttention } from "wasm-attention";
import { readJson } from "./body.js";
import { parse } from "./request.js";
import { score } from "./score.js";

const MOST_BYTES = 2 ** 20;

let attention;

/** One engine for all requests; a failure to make it is not kept. */
function engine() {
  attention ??= createAttention().catch((error) => {
    attention = undefined;
    throw error;
  });
  return attention;
}

export default {
  async fetch(request) {
    if (request.method !== "POST") {
      const headers = { allow: "POST" };
      return Response.json({ error: "POST { query, documents }" }, { status: 405, headers });
    }
    try {
      const asked = parse(await readJson(request, MOST_BYTES));
      return Response.json(score(await engine(), asked));
    } catch (error) {
      if (!error.status) throw error;
      return Response.json({ error: error.message }, { status: error.status });
    }
  },
};
