// Imported by tests that run both builds: Node 20 has relaxed SIMD behind a flag, newer ones without.

import { setFlagsFromString } from "node:v8";

if (process.versions.node.startsWith("20.")) setFlagsFromString("--experimental-wasm-relaxed-simd");
