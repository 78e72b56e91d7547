// Threads, loaded only when they are asked for: workers, and the pool that shares work among them.

import { enlist, hardwareThreads } from "#worker";
import { Control } from "./control";
import { Pool } from "./pool";

/** More than so many do not pay: they wait for memory, and for each other's packed panels. */
const MOST_AUTO = 16;

/** What `threads: "auto"` means here. */
export function autoThreads(): number {
  return Math.min(hardwareThreads(), MOST_AUTO);
}

/** Starts `threads` − 1 workers on an engine's module and memory; rejects if one does not start. */
export function startPool(
  modules: readonly WebAssembly.Module[],
  memory: WebAssembly.Memory,
  threads: number,
  worker: string | URL | undefined,
): Promise<Pool> {
  const control = new Int32Array(new SharedArrayBuffer(Control.words * 4));
  return Pool.start(control, threads, (thread, onMessage, failed) =>
    enlist({ modules, memory, control, thread }, worker, onMessage, failed),
  );
}
