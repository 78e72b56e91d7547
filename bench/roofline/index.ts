// What the machine can do, measured in the build and engine at hand: the ceiling of every figure.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Variant } from "wasm-attention";
import { quantile } from "../paired";

export interface Roofline {
  readonly build: Variant;
  /** Both products of a tile in cache, operations a second by head size. */
  tileRate(depth: number): number;
  /** e^x a second, in cache. */
  readonly exponentials: number;
  /** Multiply-adds on registers alone, operations a second. */
  readonly peak: number;
  /** Bytes a second of one pass over memory far larger than the caches. */
  readonly bandwidth: number;
}

interface Kernels {
  heapBase(): number;
  tiles(at: number, depth: number, times: number): void;
  tileOperations(depth: number): number;
  exponentials(at: number, times: number): number;
  exponentialsAtOnce(): number;
  multiplyAdds(times: number): number;
  read(at: number, bytes: number): number;
}

const STREAM_BYTES = 256 * 2 ** 20;

export function roofline(build: Variant): Roofline {
  const { kernels, memory } = instantiate(build);
  const at = Math.ceil(kernels.heapBase() / 64) * 64;
  // All of it: memory that was never written is one page of zeros, in cache.
  new Float32Array(memory.buffer, at, STREAM_BYTES / 4).fill(0.5);
  const tileRate = (depth: number) => {
    kernels.tiles(at, depth, 1);
    return rate((times) => kernels.tiles(at, depth, times), kernels.tileOperations(depth));
  };
  const stream = rate(() => kernels.read(at, STREAM_BYTES), STREAM_BYTES, 1);
  return {
    build,
    tileRate,
    exponentials: rate((times) => kernels.exponentials(at, times), kernels.exponentialsAtOnce()),
    peak: rate((times) => kernels.multiplyAdds(times * 100), 19200),
    bandwidth: stream,
  };
}

/** Units a second: the best of nine samples of 10 ms, since what else runs only ever takes away. */
function rate(
  work: (times: number) => void,
  units: number,
  most = Number.POSITIVE_INFINITY,
): number {
  const seconds = (times: number) => {
    const start = performance.now();
    work(times);
    return (performance.now() - start) / 1000;
  };
  let times = 1;
  while (times < most && seconds(times) < 0.01) times *= 2;
  const samples = Array.from({ length: 9 }, () => (units * times) / seconds(times));
  return quantile(samples, 1);
}

function instantiate(build: Variant) {
  const root = new URL("../..", import.meta.url);
  const file = `build/bench/roofline-${build}.wasm`;
  mkdirSync(new URL("build/bench", root), { recursive: true });
  const flags = build === "relaxed" ? ["--enable", "relaxed-simd"] : [];
  execFileSync(
    process.execPath,
    [
      "node_modules/assemblyscript/bin/asc.js",
      "bench/roofline/kernels.ts",
      ...["--outFile", file, "--runtime", "stub", "-O3", "--converge", "--noAssert"],
      ...["--importMemory", "--initialMemory", "1", "--use", "abort=", "--enable", "simd"],
      ...flags,
      "--config",
      "none",
    ],
    { cwd: fileURLToPath(root) },
  );
  const memory = new WebAssembly.Memory({ initial: 8 + STREAM_BYTES / 65536 });
  const module = new WebAssembly.Module(readFileSync(new URL(file, root)));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return { kernels: exports as unknown as Kernels, memory };
}
