// The function in Vercel's edge runtime, built as the platform does: `?module` is a compiled module,
// and nothing else is compiled.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { assertNear, example } from "./example";
import { endless, never, refuses, type Send } from "./hostile";

const { EdgeVM } = createRequire(import.meta.url)(
  "@edge-runtime/vm",
) as typeof import("@edge-runtime/vm");

async function bundle(folder: string) {
  let module: string | undefined;
  const { outputFiles } = await build({
    stdin: {
      contents: `import handler, { config } from "./api/attend.js";
        if (config.runtime !== "edge") throw new Error("not an edge function");
        addEventListener("fetch", (event) => event.respondWith(handler(event.request)));`,
      resolveDir: folder,
    },
    bundle: true,
    write: false,
    format: "iife",
    conditions: ["edge-light"],
    plugins: [
      {
        name: "compiled",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /\.wasm\?module$/ }, ({ path, resolveDir }) => ({
            path: join(resolveDir, path.replace("?module", "")),
            namespace: "compiled",
          }));
          onLoad({ filter: /.*/, namespace: "compiled" }, ({ path }) => {
            module = path;
            return { contents: "export default wasmModule" };
          });
        },
      },
    ],
  });
  assert.ok(module, "a module is imported");
  return { code: outputFiles[0].text, wasmModule: new WebAssembly.Module(readFileSync(module)) };
}

test("it attends, and says what is wrong with a request", async () => {
  const { code, wasmModule } = await bundle(example("vercel-edge"));
  const edge = new EdgeVM({
    codeGeneration: { strings: false, wasm: false },
    extend: (context) => Object.assign(context, { wasmModule }),
    initialCode: code,
  });
  const post = async (body: object) => {
    const answer = await edge.dispatchFetch("http://edge.test/api/attend", {
      method: "POST",
      body: JSON.stringify(body),
    });
    return { status: answer.status, answer: await answer.json() };
  };
  const query = { data: [1, 0, 0, 1], dims: [1, 1, 2, 2] };
  // Scores 1 and 0 at a scale of ln 3: weights of 3 to 1.
  const { status, answer } = await post({ query, options: { scale: Math.log(3) } });
  assert.equal(status, 200, JSON.stringify(answer));
  assert.deepEqual(answer.dims, [1, 1, 2, 2]);
  assertNear(answer.data, [0.75, 0.25, 0.25, 0.75], 1e-7);

  const send: Send = async (body, method = "POST") => {
    const stream = typeof body !== "string" && { duplex: "half" };
    const init = { method, body, ...stream } as RequestInit;
    const response = await edge.dispatchFetch("http://edge.test/api/attend", init as never);
    return { status: response.status, text: await response.text() };
  };
  for (const body of never) await refuses(send, body, 400);
  const one = { data: [1], dims: [1, 1] };
  const column = (rows: number) => ({ data: new Array(rows).fill(1), dims: [rows, 1] });
  for (const [body, said] of [
    [
      { query: { data: [1, 2, 3], dims: [1, 1, 2, 2] } },
      /tensor: .*"data.* expected .*4 elements, got 3/,
    ],
    [{ query: { data: { length: 2e8 }, dims: [2e8, 1] } }, /query.data: .*Array/],
    [{ query: { data: "1111", dims: [2, 2] } }, /query.data: .*Array/],
    [{ query: { data: [1, "2"], dims: [1, 2] } }, /query.data.1: .*number/],
    [{ query: { data: [1, null], dims: [1, 2] } }, /query.data.1: .*number/],
    ['{"query": {"data": [1e39], "dims": [1, 1]}}', /float32 can hold/],
    ['{"query": {"data": [1e400], "dims": [1, 1]}}', /float32 can hold/],
    [{ query: { data: [], dims: [0, 0] } }, /query.dims.0: .*>=1/],
    [{ query: { data: [1], dims: [] } }, /query.dims: .*length/],
    [{ query: { data: [1], dims: "1" } }, /query.dims: .*Array/],
    [{ query: { data: [1], dims: [1, 1.5] } }, /query.dims.1: .*integer/],
    [{ query: one, value: null }, /value: .*Object/],
    [{ query: one, keys: one }, /keys/],
    [{ query: one, options: null }, /options: .*Object/],
    [{ query: one, options: "causal" }, /options: .*Object/],
    [{ query: one, options: { is_causal: true } }, /options.is_causal: .*is_causal/],
    [{ query: one, options: { causal: "yes" } }, /options.causal/],
    [{ query: one, options: { window: { before: 4 } } }, /options.window.before/],
    [{ query: one, options: { scale: 1e39 } }, /options.scale: .*float32/],
    [{ query: one, options: { scoreMod: "x" } }, /options.scoreMod/],
    [{ query: one, options: { keyLengths: { length: 2e8 } } }, /options.keyLengths/],
    [{ query: one, key: { data: [1, 1], dims: [1, 2] } }, /attend: /],
  ] as const) {
    await refuses(send, body, 400, said);
  }
  // A hundred kilobytes that ask for 10⁹ products, and for a gigabyte of answer.
  await refuses(send, { query: column(30_000) }, 413, /products/);
  const wide = { data: new Array(20_000).fill(1), dims: [1, 20_000] };
  await refuses(send, { query: column(20_000), key: one, value: wide }, 413, /numbers/);
  await refuses(send, `"${"a".repeat(2 ** 21)}"`, 413, /at most 1048576 bytes/);
  const streamed = await send(endless(55e6)).catch((error: Error) => error);
  if (!(streamed instanceof Error)) assert.equal(streamed.status, 413);
  for (const method of ["GET", "PUT"]) {
    const response = await edge.dispatchFetch("http://edge.test/api/attend", { method });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "POST");
  }
  // After all of that the same answer.
  assert.deepEqual((await post({ query, options: { scale: Math.log(3) } })).answer, answer);
  // And one of the largest.
  assert.equal((await post({ query: column(8000) })).status, 200);
});
