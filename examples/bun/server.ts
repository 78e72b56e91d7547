// A server that remembers vectors and answers with their mean, weighted by likeness to the one asked
// for. PUT adds vectors, POST asks; both bodies are little-endian float32, SIZE numbers a vector. Calls
// run on all the hardware's threads, and the server answers others meanwhile.

import { createAttention, tensor } from "wasm-attention";
import { Memory } from "./memory";
import { settings } from "./settings";

const { SIZE, PORT, MOST } = settings(process.env);
const MOST_BYTES = 2 ** 24;
/** Vectors of one question: the work of one request. */
const MOST_ASKED = 256;
/** Questions that wait for an answer. */
const MOST_WAITING = 64;

const attention = await createAttention({ threads: "auto" });
const memory = new Memory(SIZE, MOST);
let waiting = 0;

const refuse = (status: number, word: string, headers = {}) =>
  new Response(`${word}\n`, { status, headers });

const server = Bun.serve({
  port: PORT,
  hostname: "127.0.0.1",
  maxRequestBodySize: MOST_BYTES,
  async fetch(request) {
    if (request.method !== "PUT" && request.method !== "POST") {
      return refuse(405, "PUT or POST", { allow: "PUT, POST" });
    }
    if (waiting >= MOST_WAITING) return refuse(503, "too many at once", { "retry-after": "1" });
    waiting++;
    try {
      const body = await request.arrayBuffer();
      if (body.byteLength === 0 || body.byteLength % (4 * SIZE)) {
        return refuse(400, `expected vectors of ${SIZE} float32`);
      }
      const vectors = new Float32Array(body);
      if (!memory.takes(vectors)) return refuse(400, `expected numbers up to ${memory.largest}`);
      return request.method === "PUT" ? remember(vectors) : await answer(vectors, request.signal);
    } finally {
      waiting--;
    }
  },
});

function remember(vectors: Float32Array): Response {
  if (!memory.add(vectors)) return refuse(507, `full: at most ${MOST} vectors`);
  return new Response(`${memory.count}\n`);
}

async function answer(vectors: Float32Array, signal: AbortSignal): Promise<Response> {
  const count = vectors.length / SIZE;
  if (count > MOST_ASKED) return refuse(413, `at most ${MOST_ASKED} vectors at once`);
  if (memory.count === 0) return refuse(409, "nothing to remember yet");
  const known = tensor(memory.vectors, [memory.count, SIZE]);
  try {
    const asked = tensor(vectors, [count, SIZE]);
    const { output } = await attention.attendAsync(asked, known, known, { signal });
    return new Response(output.data);
  } catch (error) {
    // Whoever asked has gone: nothing more is computed, and nobody reads this.
    if (signal.aborted) return new Response(null, { status: 499 });
    throw error;
  }
}

console.log(`http://127.0.0.1:${server.port} with ${attention.threads} threads`);
