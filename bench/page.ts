// In the page: the core of the benchmark with one thread count, told to whoever opened the page.

import { createAttention, type Variant } from "wasm-attention";
import { benchAttend } from "./attend";
import { cases } from "./cases";
import { onnxruntime } from "./peers/onnxruntime";
import { roofline } from "./roofline/index";
import type { Row } from "./rows";

declare global {
  /** Given by the driver. */
  var report: (row: Row) => Promise<void>;
  var bench: (threads: number, builds: readonly Variant[], lengths: number[]) => Promise<void>;
}

globalThis.bench = async (threads, builds, lengths) => {
  if (!crossOriginIsolated) throw new Error("the page is not cross-origin isolated");
  const peer = onnxruntime(threads);
  for (const build of builds) {
    const kernels = await fetch(`/kernels/roofline-${build}.wasm`);
    const roof = await roofline(build, new Uint8Array(await kernels.arrayBuffer()));
    const attention = await createAttention({ reproducible: build === "portable", threads });
    if (attention.variant !== build || attention.threads !== threads) {
      throw new Error(`${attention.variant}, ${attention.threads}: ${attention.threadsFallback}`);
    }
    const rows: Row[] = [];
    for (const c of cases.filter(({ n, heads }) => heads === 12 && lengths.includes(n))) {
      await benchAttend(attention, roof, [peer], c, "Float32Arrays", (row) => rows.push(row));
      for (const row of rows.splice(0)) await report(row);
    }
    attention.dispose();
  }
};
