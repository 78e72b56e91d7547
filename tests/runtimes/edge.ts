// Vercel's edge runtime: a bundle as its build makes it, where `?module` is a module that the platform
// has compiled, in its sandbox.

import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { node, output } from "./engines";

/** The wasm modules; the package names the core's after the variant alone. */
const NAMES = [
  "core",
  "training",
  "positions",
  "cache",
  "blocks",
  "variants",
  "quantized",
  "integers",
];

const compiled: Plugin = {
  name: "compiled",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({ path, namespace: "compiled" }));
    onLoad({ filter: /.*/, namespace: "compiled" }, ({ path }) => {
      const name = NAMES.find((name) => name === path.split(/[/.]/).at(-3)) ?? "core";
      return { contents: `export default wasmModules.${name}`, loader: "js" };
    });
  },
};

/** The answers of the function in `entry` to each of the bodies. */
export async function runEdge(folder: string, entry: string, bodies: readonly object[]) {
  const outfile = join(folder, `built-${entry}`);
  await build({
    entryPoints: [join(folder, entry)],
    bundle: true,
    format: "iife",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["edge-light"],
    external: ["node:*"],
    outfile,
    plugins: [compiled],
  });
  const modules = join(folder, "node_modules/wasm-attention/dist/edge-light");
  const here = new URL("package.json", import.meta.url).pathname;
  const texts = bodies.map((body) => JSON.stringify(body));
  const lines = output(node(24), ["edge-host.mjs", here, outfile, modules, ...texts], folder);
  return lines.map((line) => JSON.parse(line));
}
