// What the machine can do, measured in the build and engine at hand: the ceiling of every figure.

import type { Variant } from "wasm-attention";
import { quantile } from "../paired";

export interface Roofline {
  readonly build: Variant;
  /** Both products of a tile in cache, operations a second by head size. */
  readonly tiles: (depth: number) => Rate;
  /** e^x a second, in cache. */
  readonly exponentials: Rate;
  /** Multiply-adds on registers alone, operations a second. */
  readonly registers: Rate;
  /** Bytes a second of one pass after another over so many. */
  readonly read: (bytes: number) => Rate;
}

export interface Rate {
  /** Units a second in one sample of some milliseconds. */
  now(): number;
  /** The best of nine samples, since what else runs only ever takes away. */
  best(): number;
}

interface Kernels {
  heapBase(): number;
  tiles(at: number, depth: number, times: number): void;
  tileOperations(depth: number): number;
  exponentials(at: number, times: number): number;
  exponentialsAtOnce(): number;
  multiplyAdds(times: number, factor: number, term: number): number;
  multiplyAddOperations(): number;
  read(at: number, bytes: number): number;
}

/** Far larger than the caches. */
export const STREAM_BYTES = 256 * 2 ** 20;
const SAMPLE_SECONDS = 0.008;

export async function roofline(build: Variant, bytes: Uint8Array<ArrayBuffer>): Promise<Roofline> {
  const memory = new WebAssembly.Memory({ initial: 8 + STREAM_BYTES / 65536 });
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
  const kernels = instance.exports as unknown as Kernels;
  const at = Math.ceil(kernels.heapBase() / 64) * 64;
  // All of it: memory that was never written is one page of zeros, in cache.
  new Float32Array(memory.buffer, at, STREAM_BYTES / 4).fill(0.5);
  return {
    build,
    tiles: (depth) =>
      rate((times) => kernels.tiles(at, depth, times), kernels.tileOperations(depth)),
    exponentials: rate((times) => kernels.exponentials(at, times), kernels.exponentialsAtOnce()),
    // Sums settle at 2.
    registers: rate(
      (times) => kernels.multiplyAdds(times, 0.5, 1),
      kernels.multiplyAddOperations(),
    ),
    read: (length) => {
      const whole = Math.min(Math.ceil(length / 128) * 128, STREAM_BYTES);
      return rate((times) => {
        for (let i = 0; i < times; i++) kernels.read(at, whole);
      }, whole);
    },
  };
}

function rate(work: (times: number) => void, units: number): Rate {
  const seconds = (times: number) => {
    const start = performance.now();
    work(times);
    return (performance.now() - start) / 1000;
  };
  let times = 0;
  const now = () => {
    if (!times) {
      times = 1;
      work(1);
      while (seconds(times) < SAMPLE_SECONDS) times *= 2;
    }
    return (units * times) / seconds(times);
  };
  return { now, best: () => quantile(Array.from({ length: 9 }, now), 1) };
}
