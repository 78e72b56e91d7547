// What the package computes in this context: on a page, in a worker, in a service worker.

import { type Report, runBattery } from "../../battery/battery";
import { filled } from "../../battery/numbers";
import { createAttention, UnsupportedError } from "../../battery/package";

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
  const run = (more: object) => runBattery({ ...options, ...more }, all ? undefined : ["core"]);
  try {
    return {
      coldStartMs: await coldStart(),
      usual: await run({}),
      reproducible: await run({ reproducible: true }),
    };
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message, typed: error instanceof UnsupportedError };
  }
}

async function coldStart(): Promise<number> {
  const start = performance.now();
  const attention = await createAttention();
  const x = filled([1, 1, 8, 16], 1);
  attention.attend(x, x, x);
  const ms = performance.now() - start;
  if (attention.threads !== 1 || attention.threadsFallback !== undefined) {
    throw new Error(`${attention.threads} threads, none asked for: ${attention.threadsFallback}`);
  }
  attention.dispose();
  return Math.round(ms * 10) / 10;
}
