// A server whose engine could not be made answers as soon as it can: no failure is kept.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { example } from "./example";

/** The example's entry in Node, where the first engine fails. */
async function failing(name: string, entry: string) {
  const folder = example(name);
  const { outputFiles } = await build({
    stdin: { contents: `export { default } from "./${entry}";`, resolveDir: folder },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    plugins: [
      {
        name: "failing",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^wasm-attention$/ }, ({ namespace }) =>
            namespace === "failing" ? undefined : { path: "failing", namespace: "failing" },
          );
          onLoad({ filter: /.*/, namespace: "failing" }, () => ({
            resolveDir: folder,
            contents: `
              import { createAttention as create } from "wasm-attention";
              export * from "wasm-attention";
              let calls = 0;
              export const createAttention = async (options) => {
                if (++calls === 1) throw new Error("no memory yet");
                return create(options);
              };`,
          }));
        },
      },
    ],
  });
  const file = join(folder, "failing.mjs");
  writeFileSync(file, outputFiles[0].text);
  return (await import(pathToFileURL(file).href)).default;
}

const post = (body: object) =>
  new Request("http://server.test/", { method: "POST", body: JSON.stringify(body) });

test("Cloudflare's", async () => {
  const worker = await failing("cloudflare-worker", "src/index.js");
  const ask = (): Promise<Response> => worker.fetch(post({ query: "a", documents: ["a"] }));
  await assert.rejects(ask(), /no memory yet/);
  assert.equal((await ask()).status, 200);
});

test("Vercel's", async () => {
  const handler = await failing("vercel-edge", "api/attend.js");
  const ask = (): Promise<Response> => handler(post({ query: { data: [1, 0], dims: [1, 2] } }));
  await assert.rejects(ask(), /no memory yet/);
  assert.equal((await ask()).status, 200);
});
