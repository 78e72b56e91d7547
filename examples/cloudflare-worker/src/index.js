// POST { query, documents }, all texts or all vectors → how much each document answers the query.

import { AttentionError, createAttention } from "wasm-attention";
import { score } from "./score.js";

let attention;

export default {
  async fetch(request) {
    if (request.method !== "POST") {
      return Response.json({ error: "POST { query, documents }" }, { status: 405 });
    }
    attention ??= createAttention();
    try {
      return Response.json(score(await attention, await request.json()));
    } catch (error) {
      if (error instanceof AttentionError || error instanceof SyntaxError) {
        return Response.json({ error: error.message }, { status: 400 });
      }
      throw error;
    }
  },
};
