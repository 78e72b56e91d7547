// What the package computes in this context: on a page, in a worker, in a service worker.

import * as main from "wasm-attention";
import * as blocks from "wasm-attention/blocks";
import * as cache from "wasm-attention/cache";
import * as integers from "wasm-attention/integers";
import * as positions from "wasm-attention/positions";
import * as quantized from "wasm-attention/quantized";
import * as shards from "wasm-attention/shards";
import * as training from "wasm-attention/training";
import * as variants from "wasm-attention/variants";
import * as weights from "wasm-attention/weights";
import { type Report, runBattery } from "../../battery/battery";
import { filled } from "../../battery/numbers";

const wasmAttention = {
  ...main,
  ...blocks,
  ...cache,
  ...positions,
  ...training,
  ...variants,
  ...integers,
  ...quantized,
  ...shards,
  ...weights,
};

export interface Outcome {
  isolated: boolean;
  /** SharedArrayBuffer is there. */
  shares: boolean;
  result: Results | Refusal;
}

/** Of an engine as created with no options: milliseconds until its first result. Of two threads: */
export interface Results {
  coldStartMs: number;
  usual: Report;
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
  // A page whose policy refuses blob: says where the worker is.
  const strict = location.pathname.includes("policy");
  const worker = strict ? new URL("worker.js", location.href) : undefined;
  const options = { threads: 2, worker };
  // What is computed does not depend on where: all of it once without threads and once with.
  const page = "document" in globalThis;
  const dedicated = !page && !("registration" in globalThis);
  const all = !strict && (globalThis.crossOriginIsolated ? dedicated : page);
  const run = (more: object) =>
    runBattery(wasmAttention, { ...options, ...more }, undefined, all ? "all" : "core");
  try {
    return {
      coldStartMs: await coldStart(),
      usual: await run({}),
      reproducible: await run({ reproducible: true }),
    };
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message, typed: error instanceof wasmAttention.UnsupportedError };
  }
}

async function coldStart(): Promise<number> {
  const start = performance.now();
  const attention = await wasmAttention.createAttention();
  const x = filled([1, 1, 8, 16], 1);
  attention.attend(x, x, x);
  const ms = performance.now() - start;
  if (attention.threads !== 1 || attention.threadsFallback !== undefined) {
    throw new Error(`${attention.threads} threads, none asked for: ${attention.threadsFallback}`);
  }
  attention.dispose();
  return Math.round(ms * 10) / 10;
}
