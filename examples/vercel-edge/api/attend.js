// POST { query, key, value, options }, each tensor { data, dims } → the output in the same form.

import { ArgumentError, createAttention, tensor } from "wasm-attention";
import { BodyError, readJson } from "../body.js";
import { parse } from "../request.js";

export const config = { runtime: "edge" };

const MOST_BYTES = 2 ** 20;
/** Multiplications of all queries by all keys and values: a fraction of a second. */
const MOST_PRODUCTS = 2 ** 28;
/** Numbers of an answer. */
const MOST_NUMBERS = 2 ** 18;

let attention;

/** One engine for all requests; a failure to make it is not kept. */
function engine() {
  attention ??= createAttention().catch((error) => {
    attention = undefined;
    throw error;
  });
  return attention;
}

/** A request of a few bytes must not ask for an hour's work or a gigabyte's answer. */
function checkWork(query, value) {
  const [size, valueSize, keys] = [query.dims.at(-1), value.dims.at(-1), value.dims.at(-2)];
  const rows = query.data.length / size;
  if (rows * valueSize > MOST_NUMBERS) throw new BodyError(413, `at most ${MOST_NUMBERS} numbers`);
  if (rows * keys * (size + valueSize) <= MOST_PRODUCTS) return;
  throw new BodyError(413, `at most ${MOST_PRODUCTS} products of queries, keys and values`);
}

export default async function handler(request) {
  if (request.method !== "POST") {
    const headers = { allow: "POST" };
    return Response.json(
      { error: "POST { query, key, value, options }" },
      { status: 405, headers },
    );
  }
  try {
    const { query, key = query, value = key, options } = parse(await readJson(request, MOST_BYTES));
    const [q, k, v] = [query, key, value].map(({ data, dims }) => tensor(data, dims));
    checkWork(q, v);
    const { output } = (await engine()).attend(q, k, v, options);
    return Response.json({ data: Array.from(output.data), dims: output.dims });
  } catch (error) {
    const status = error instanceof ArgumentError ? 400 : error.status;
    if (!status) throw error;
    return Response.json({ error: error.message }, { status });
  }
}
