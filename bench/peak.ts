// The process of one measurement of memory: name, n and d to { bytes, ms } on standard output,
// or to why a peer failed.

import { readFileSync, writeFileSync } from "node:fs";
import { createAttention } from "wasm-attention";
import { random } from "./cases";
import type { Peak } from "./memory";
import type { Peer } from "./peers/peer";

const [name, n, d] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

const peers: Record<string, () => Promise<Peer>> = {
  "onnxruntime-web": async () => (await import("./peers/onnxruntime")).onnxruntime(1),
  "tfjs-backend-wasm": async () => (await import("./peers/tfjs")).tfjs,
  "onnxruntime-node": async () => (await import("./peers/onnxruntime-node")).onnxruntimeNode,
};

async function ours(): Promise<Peak> {
  const attention = await createAttention({ reproducible: name === "portable" });
  if (attention.variant !== name) throw new Error(`wanted ${name}, got ${attention.variant}`);
  const before = attention.memory.used;
  const [q, k, v, out] = [0, 1, 2, 3].map((i) => {
    const made = attention.allocate([1, 1, n, d]);
    made.data.set(random(n * d + i).subarray(i));
    return made;
  });
  const tensors = attention.memory.used - before;
  const start = performance.now();
  attention.attend(q, k, v, { out });
  return { ms: performance.now() - start, bytes: attention.memory.reserved - tensors };
}

/** Linux counts the highest resident size anew after this; elsewhere it is that of the whole life. */
function residentAnew(): number {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {}
  return process.memoryUsage.rss();
}

function highestResident(): number {
  try {
    const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"));
    if (kilobytes) return Number(kilobytes[1]) * 1024;
  } catch {}
  return process.resourceUsage().maxRSS * 1024;
}

async function theirs(peer: Peer): Promise<Peak> {
  const attend = async (length: number) => {
    const inputs = [0, 1, 2].map((i) => random(length * d + i).subarray(i));
    const c = { heads: 1, n: length, d, causal: false };
    const run = await peer.prepare(c, inputs[0], inputs[1], inputs[2]);
    const before = residentAnew();
    const start = performance.now();
    await run.run();
    // The inputs inside the library and the output belong to the call's tensors.
    const bytes = Math.max(highestResident() - before - 4 * length * d * 4, 0);
    return { ms: performance.now() - start, bytes };
  };
  await attend(16); // whatever it loads and compiles once
  return attend(n);
}

async function measured(): Promise<Peak | { failed: string }> {
  if (!(name in peers)) return ours();
  try {
    return await theirs(await peers[name]());
  } catch (error) {
    return { failed: String(error) };
  }
}

console.log(JSON.stringify(await measured()));
process.exit(0);
