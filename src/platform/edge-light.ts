// Vercel's edge runtime: the same, but only the portable build. Under Node 20 the other does not
// compile, and then nothing of the function's code would run.

import portable from "../../build/portable.wasm?module";

export async function loadModule(): Promise<WebAssembly.Module> {
  return portable;
}
