// What a page fetches before its first attention: minified JavaScript and the module it loads.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";
import type { Report } from "./rows";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const read = (path: string) => readFileSync(at(path));

async function bundled(code: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: at("peers") },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"' },
    external: ["fs", "path", "os", "crypto", "worker_threads", "perf_hooks", "util", "node:*"],
  });
  return outputFiles[0].contents;
}

const brotli = (data: Uint8Array) =>
  brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).length;

const peers: Record<string, () => Promise<Uint8Array[]>> = {
  "onnxruntime-web": async () => [
    read("peers/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs"),
    read("peers/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.mjs"),
    read("peers/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"),
  ],
  "tfjs-backend-wasm": async () => [
    await bundled(
      'export { matMul, mul, scalar, setBackend, softmax, tensor4d } from "@tensorflow/tfjs-core"; import "@tensorflow/tfjs-backend-wasm";',
    ),
    read("peers/node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm"),
  ],
  "@jax-js/jax": async () => [
    await bundled('export { defaultDevice, init, nn, numpy } from "@jax-js/jax";'),
  ],
};

/** A program with `attend` alone, both builds inside; what threads need is loaded only when asked for. */
async function ours(): Promise<Uint8Array[]> {
  const { outputFiles, metafile } = await build({
    entryPoints: [at("../tests/size/attend.ts")],
    absWorkingDir: at(".."),
    outdir: at("../build/size"),
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    conditions: ["browser"],
    logLevel: "error",
  });
  const loaded = new Set(["build/size/attend.js"]);
  for (const path of loaded) {
    for (const { kind, path: next } of metafile.outputs[path].imports)
      if (kind === "import-statement") loaded.add(next);
  }
  const root = at("..").replace(/\/$/, "");
  return outputFiles
    .filter(({ path }) => loaded.has(path.slice(root.length + 1)))
    .map(({ contents }) => contents);
}

/** Bytes after brotli. */
export async function benchSize(report: Report): Promise<void> {
  const total = (parts: readonly Uint8Array[]) =>
    parts.reduce((sum, part) => sum + brotli(part), 0);
  const oursBytes = total(await ours());
  for (const [peer, parts] of Object.entries(peers)) {
    const facts = { op: "size", build: "both", threads: 1, peer, oursBytes };
    try {
      const peerBytes = total(await parts());
      report({ ...facts, peerBytes, ratio: peerBytes / oursBytes });
    } catch (error) {
      report({ ...facts, leftOut: `it fails: ${String(error)}`.slice(0, 60) });
    }
  }
}
