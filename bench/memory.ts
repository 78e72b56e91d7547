// Peak memory of one call beside its inputs and output, one head of 64, each in a fresh process.
// Ours is what linear memory had to take; a peer's is how far the process grew.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Report } from "./rows";

export interface Peak {
  readonly bytes: number;
  readonly ms: number;
}

const D = 64;
const PEERS = ["onnxruntime-web", "tfjs-backend-wasm", "onnxruntime-node"];
const MOST_MS = 3000;

function peakOf(name: string, n: number): Peak | string {
  const path = fileURLToPath(new URL("peak.ts", import.meta.url));
  try {
    const answer = execFileSync(process.execPath, ["--import", "tsx", path, name, `${n}`, `${D}`], {
      encoding: "utf8",
      timeout: 60_000,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const peak = JSON.parse(answer.trim().split("\n").at(-1) ?? "") as Peak | { failed: string };
    return "failed" in peak ? `it fails: ${peak.failed}`.slice(0, 60) : peak;
  } catch (error) {
    // Killed: by the system for its memory, or after a minute.
    const { signal, message } = error as { signal?: string; message: string };
    return `it fails: ${signal ?? message.split("\n")[0]}`.slice(0, 60);
  }
}

export function benchMemory(
  builds: readonly string[],
  lengths: readonly number[],
  wanted: (peer: string) => boolean,
  report: Report,
): void {
  const over = new Map<string, string>();
  for (const n of lengths) {
    const facts = { op: "memory", threads: 1, heads: 1, n, d: D, causal: false };
    let ours: Peak | undefined;
    for (const build of builds) {
      const peak = peakOf(build, n);
      if (typeof peak === "string") throw new Error(`${build} at n = ${n}: ${peak}`);
      ours = peak;
      report({ ...facts, build, peer: "", oursMs: peak.ms, oursBytes: peak.bytes });
    }
    if (!ours) throw new Error("no build");
    const build = builds.at(-1) ?? "";
    for (const peer of PEERS.filter(wanted)) {
      const before = over.get(peer);
      const peak = before ?? peakOf(peer, n);
      if (typeof peak === "string") {
        over.set(peer, peak);
        report({ ...facts, build, peer, oursBytes: ours.bytes, leftOut: peak });
        continue;
      }
      if (peak.ms > MOST_MS) over.set(peer, "a shorter call took longer than 3 s");
      const { bytes: oursBytes, ms: oursMs } = ours;
      const ratio = peak.bytes / oursBytes;
      report({
        ...facts,
        build,
        peer,
        oursMs,
        peerMs: peak.ms,
        oursBytes,
        peerBytes: peak.bytes,
        ratio,
      });
    }
  }
}
