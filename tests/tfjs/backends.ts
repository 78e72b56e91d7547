// TensorFlow.js with our engine registered, on either backend.

import { createRequire } from "node:module";
import { dirname } from "node:path";
import "@tensorflow/tfjs-backend-cpu";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { type Attention, createAttention } from "wasm-attention";
import { registerAttention } from "wasm-attention/tfjs";
import { training } from "wasm-attention/training";
import { variants } from "wasm-attention/variants";

const require = createRequire(import.meta.url);
setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`);
setThreadsCount(1);

export const backends = ["cpu", "wasm"] as const;
export type Backend = (typeof backends)[number];

type Whole = Attention<"training" | "variants">;
const engines: Partial<Record<Backend, Whole>> = {};

/** The backend with an engine of its own: on cpu the portable build, on wasm the best one. */
export async function use(backend: Backend): Promise<Whole> {
  engines[backend] ??= await createAttention({
    reproducible: backend === "cpu",
    extensions: [training, variants],
  });
  const attention = engines[backend];
  registerAttention(attention);
  await tf.setBackend(backend);
  await tf.ready();
  return attention;
}

/** Seeded numbers from −1 to 1. */
export function numbers(shape: number[], seed: number): tf.Tensor {
  return tf.randomUniform(shape, -1, 1, "float32", seed);
}
