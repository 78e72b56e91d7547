// What the package computes in this context: on a page, in a worker, in a service worker.

import * as wasmAttention from "wasm-attention";
import { type Report, runBattery } from "../../battery/battery";

export interface Outcome {
  isolated: boolean;
  /** SharedArrayBuffer is there. */
  shares: boolean;
  result: Results | Refusal;
}

/** With no options, with two threads, and with the portable build and two threads. */
export interface Results {
  usual: Report;
  threaded: Report;
  reproducible: Report;
}

/** What createAttention threw. */
export interface Refusal {
  name: string;
  message: string;
  typed: boolean;
}

export async function outcome(): Promise<Outcome> {
  return {
    isolated: globalThis.crossOriginIsolated,
    shares: typeof SharedArrayBuffer === "function",
    result: await result(),
  };
}

async function result(): Promise<Results | Refusal> {
  const start = performance.now();
  // A page whose policy refuses blob: says where the worker is.
  const strict = location.pathname.includes("policy");
  const worker = strict ? new URL("worker.js", location.href) : undefined;
  const threads = 2;
  try {
    return {
      usual: await runBattery(wasmAttention, {}, start),
      threaded: await runBattery(wasmAttention, { threads, worker }),
      reproducible: await runBattery(wasmAttention, { threads, worker, reproducible: true }),
    };
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message, typed: error instanceof wasmAttention.UnsupportedError };
  }
}
