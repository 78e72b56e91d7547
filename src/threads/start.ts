// Threads, loaded only when they are asked for: workers, and the pool that shares work among them.

import { enlist, hardwareThreads } from "#worker";
import type { Engine } from "../instance/instance";
import { Control } from "./control";
import { Pool } from "./pool";

/** More than so many do not pay: they wait for memory, and for each other's packed panels. */
const MOST_AUTO = 16;

interface ThreadOptions {
  readonly threads: number | "auto";
  readonly worker?: string | URL | undefined;
}

/** An engine on shared memory, and what each thread instantiates. */
interface SharedEngine {
  readonly engine: Engine;
  readonly memory: WebAssembly.Memory;
  readonly modules: readonly WebAssembly.Module[];
}

/** The engine that `make` gives, with workers, or why there is none; rejects if one does not start. */
export async function startEngine(
  make: () => Promise<SharedEngine>,
  { threads: asked, worker }: ThreadOptions,
): Promise<Engine | string> {
  if (globalThis.crossOriginIsolated === false) {
    return "memory cannot be shared: this page is not cross-origin isolated";
  }
  if (typeof SharedArrayBuffer !== "function") {
    return "memory cannot be shared: there is no SharedArrayBuffer";
  }
  const threads = asked === "auto" ? Math.min(hardwareThreads(), MOST_AUTO) : asked;
  if (threads === 1) return "the hardware has one thread";
  const { engine, memory, modules } = await make();
  const control = new Int32Array(new SharedArrayBuffer(Control.words * 4));
  engine.pool = await Pool.start(control, threads, (thread, onMessage, failed) =>
    enlist({ modules, memory, control, thread }, worker, onMessage, failed),
  );
  return engine;
}
