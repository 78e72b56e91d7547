// Browsers: a module worker from the worker's text, or from a URL where a page's policy (CSP
// `worker-src`) refuses blob: workers.

import source from "worker-source";
import type { StartedWorker } from "../threads/pool";
import type { Start } from "../threads/worker";

const code = `${source}
onmessage = ({ data }) => worker.work(data, postMessage);`;

export function hardwareThreads(): number {
  return navigator.hardwareConcurrency || 1;
}

export function enlist(
  start: Start,
  url: string | URL | undefined,
  onMessage: (what: string) => void,
  failed: (reason: string) => void,
): StartedWorker {
  const made = url ? undefined : URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const worker = new Worker(url ?? (made as string), { type: "module", name: "wasm-attention" });
  worker.onmessage = ({ data }) => {
    if (made) URL.revokeObjectURL(made);
    onMessage(data);
  };
  worker.onerror = (event) => failed(`a worker failed: ${event.message ?? "its code is refused"}`);
  worker.postMessage(start);
  return {
    end() {
      worker.terminate();
      // It says nothing of when it is gone.
      return new Promise(() => {});
    },
  };
}
