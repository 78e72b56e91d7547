declare module "*.wasm" {
  /** The module's bytes, decoded anew. */
  export default function bytes(): Uint8Array<ArrayBuffer>;
}

declare module "worker-source" {
  /** src/engine/worker.ts as a classic script that defines `worker`. */
  const source: string;
  export default source;
}
