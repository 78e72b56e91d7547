declare module "*.wasm" {
  /** The module's bytes, decoded anew. */
  export default function bytes(): Uint8Array<ArrayBuffer>;
}

declare module "*.wasm?module" {
  /** The file beside the bundle, compiled by the platform. */
  const module: WebAssembly.Module;
  export default module;
}

declare module "worker-source" {
  /** src/engine/worker.ts as a classic script that defines `worker`. */
  const source: string;
  export default source;
}
