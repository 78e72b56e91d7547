// Vercel's edge runtime: the same, but only the portable build. Under Node 20 the other does not
// compile, and then nothing of the function's code would run.

import type { Builds } from "../instance/builds";

export async function compile({ portable }: Builds): Promise<WebAssembly.Module> {
  return portable as unknown as WebAssembly.Module;
}
