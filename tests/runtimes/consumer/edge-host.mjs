// node edge-host.mjs FROM BUNDLE MODULES BODIES…: the function in the edge runtime that FROM finds, which
// compiles no bytes; its answer to each body, a line each. The modules in the folder are compiled out
// here, as the platform does.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [vm, bundle, folder, ...bodies] = process.argv.slice(2);
const { EdgeVM } = createRequire(vm)("@edge-runtime/vm");
const compiled = (name) => [
  name,
  new WebAssembly.Module(readFileSync(`${folder}/${name}.portable.wasm`)),
];
const wasmModules = Object.fromEntries(
  ["core", "training", "positions", "cache", "blocks", "variants"].map(compiled),
);
const edge = new EdgeVM({
  codeGeneration: { strings: false, wasm: false },
  extend: (context) => Object.assign(context, { wasmModules }),
  initialCode: readFileSync(bundle, "utf8"),
});
for (const body of bodies) {
  const response = await edge.dispatchFetch("http://edge.test/", { method: "POST", body });
  console.log(await response.text());
}
