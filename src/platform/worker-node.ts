// Node, Deno, Bun: a thread from the worker's text.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import source from "worker-source";
import type { StartedWorker } from "../threads/pool";
import type { Start } from "../threads/worker";

const code = `${source}
const { parentPort, workerData } = require("node:worker_threads");
worker.work(workerData, (what) => parentPort.postMessage(what));`;

export function hardwareThreads(): number {
  return availableParallelism();
}

export function enlist(
  start: Start,
  _url: string | URL | undefined,
  onMessage: (what: string) => void,
  failed: (reason: string) => void,
): StartedWorker {
  const worker = new Worker(code, {
    eval: true,
    workerData: start,
    // The process's own might make the text a module, or load what a worker does not need.
    execArgv: [],
    name: "wasm-attention",
  });
  worker.on("message", (what) => {
    // From here on it does not keep the process alive.
    worker.unref();
    onMessage(what);
  });
  worker.on("error", (error) => failed(`a worker failed: ${error.message}`));
  worker.on("exit", () => failed("a worker has ended"));
  return { end: () => worker.terminate() };
}
