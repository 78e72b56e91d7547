// A server that remembers vectors and answers with their mean, weighted by likeness to the one asked
// for. PUT adds vectors, POST asks; both bodies are little-endian float32, SIZE numbers a vector. Calls
// run on all the hardware's threads, and the server answers others meanwhile.

import { createAttention, tensor } from "wasm-attention";

const SIZE = Number(process.env.SIZE ?? 64);
const attention = await createAttention({ threads: "auto" });
let memory = new Float32Array(0);

const server = Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  hostname: "127.0.0.1",
  async fetch(request) {
    const body = await request.arrayBuffer();
    if (body.byteLength === 0 || body.byteLength % (4 * SIZE)) {
      return new Response(`expected vectors of ${SIZE} float32\n`, { status: 400 });
    }
    const vectors = new Float32Array(body);
    if (request.method === "PUT") {
      const all = new Float32Array(memory.length + vectors.length);
      all.set(memory);
      all.set(vectors, memory.length);
      memory = all;
      return new Response(`${memory.length / SIZE}\n`);
    }
    if (request.method !== "POST") return new Response("PUT or POST\n", { status: 405 });
    if (memory.length === 0) return new Response("nothing to remember yet\n", { status: 409 });
    const asked = tensor(vectors, [vectors.length / SIZE, SIZE]);
    const known = tensor(memory, [memory.length / SIZE, SIZE]);
    const { output } = await attention.attendAsync(asked, known, known);
    return new Response(output.data);
  },
});
console.log(`http://127.0.0.1:${server.port} with ${attention.threads} threads`);
