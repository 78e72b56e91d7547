// onnxruntime-web, wasm. How many threads it has is fixed by its first session in a process.

import * as ort from "onnxruntime-web";
import { onnxPeer } from "./onnx";
import type { Peer } from "./peer";

export function onnxruntime(threads: number): Peer {
  ort.env.wasm.numThreads = threads;
  return onnxPeer("onnxruntime-web", ort, { executionProviders: ["wasm"] });
}
