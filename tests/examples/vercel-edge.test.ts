// The function in Vercel's edge runtime, built as the platform does: `?module` is a compiled module,
// and nothing else is compiled.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { assertNear, example } from "./example";

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

  const wrong = await post({ query: { data: [1, 2, 3], dims: [1, 1, 2, 2] } });
  assert.equal(wrong.status, 400);
  assert.match(wrong.answer.error, /tensor: "data" expected .*4 elements, got 3/);
  assert.equal((await post({})).status, 400);
  assert.equal((await edge.dispatchFetch("http://edge.test/api/attend")).status, 405);
});
