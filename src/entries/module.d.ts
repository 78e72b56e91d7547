// The raw builds, where an imported .wasm is a compiled module: Cloudflare's workers, Vercel's edge.

declare global {
  // Where neither the page's types nor another platform's name it.
  namespace WebAssembly {
    interface Module {}
  }
}

declare const module: WebAssembly.Module;
export default module;
