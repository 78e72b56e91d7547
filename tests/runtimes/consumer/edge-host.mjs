// node edge-host.mjs FROM BUNDLE MODULE BODIES…: the function in the edge runtime that FROM finds, which compiles no bytes;
// its answer to each body, a line each. The module is compiled out here, as the platform does.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [vm, bundle, wasm, ...bodies] = process.argv.slice(2);
const { EdgeVM } = createRequire(vm)("@edge-runtime/vm");
const edge = new EdgeVM({
  codeGeneration: { strings: false, wasm: false },
  extend: (context) =>
    Object.assign(context, { wasmModule: new WebAssembly.Module(readFileSync(wasm)) }),
  initialCode: readFileSync(bundle, "utf8"),
});
for (const body of bodies) {
  const response = await edge.dispatchFetch("http://edge.test/", { method: "POST", body });
  console.log(await response.text());
}
