declare module "builds:*" {
  /** What this platform holds of a wasm module; see scripts/builds.mjs. */
  const builds: import("../instance/builds").Builds;
  export default builds;
}

declare module "worker-source" {
  /** src/threads/worker.ts as a classic script that defines `worker`. */
  const source: string;
  export default source;
}
