declare module "*.wasm" {
  /** The module's bytes, decoded anew. */
  export default function bytes(): Uint8Array<ArrayBuffer>;
}
