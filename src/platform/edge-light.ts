// Vercel's edge runtime: the same, but only the portable build. Under Node 20 the other does not
// compile, and then nothing of the function's code would run.

import portable from "../../build/core.portable.wasm?module";
import portablePositions from "../../build/positions.portable.wasm?module";
import portableTraining from "../../build/training.portable.wasm?module";

export async function loadModules(): Promise<WebAssembly.Module[]> {
  return [portable, portableTraining, portablePositions];
}
