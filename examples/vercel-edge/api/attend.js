// POST { query, key, value, options }, each tensor { data, dims } → the output in the same form.

import { AttentionError, createAttention, tensor } from "wasm-attention";

export const config = { runtime: "edge" };

let attention;

export default async function handler(request) {
  if (request.method !== "POST") {
    return Response.json({ error: "POST { query, key, value }" }, { status: 405 });
  }
  attention ??= createAttention();
  try {
    const { query, key, value, options } = await request.json();
    const [q, k, v] = [query, key ?? query, value ?? key ?? query].map(({ data, dims } = {}) =>
      tensor(Float32Array.from(data ?? []), dims),
    );
    const { output } = (await attention).attend(q, k, v, options);
    return Response.json({ data: Array.from(output.data), dims: output.dims });
  } catch (error) {
    if (error instanceof AttentionError || error instanceof SyntaxError) {
      return Response.json({ error: error.message }, { status: 400 });
    }
    throw error;
  }
}
