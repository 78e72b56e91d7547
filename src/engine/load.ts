// Module → engine: one instance with its memory, its call frame and its arena.

import { instantiateSync } from "@assemblyscript/loader";
import { Slot } from "../../assembly/frame";
import { AttentionError, MemoryError, UnsupportedError } from "../errors";
import type { ScoreTile } from "../options";
import { Arena } from "./arena";
import { probe, type Variant } from "./detect";
import type { Pool } from "./pool";

const PAGE = 65536;
/** Not the last of 4 GiB: an address after the end of a block in it would be 0 again. */
const MOST_PAGES = 65535;

/** What the module exports; see assembly/index.ts. Frames and pointers are byte addresses. */
export interface Kernels {
  attendItems(frame: number): number;
  attendReady(frame: number, item: number): number;
  attendItem(frame: number, item: number, thread: number, key: number): number;
  attendScratchBytes(frame: number): number;
  backwardItems(frame: number): number;
  backwardItem(frame: number, item: number, thread: number, step: number): number;
  backwardScratchBytes(frame: number): number;
  linearItems(frame: number): number;
  linearItem(frame: number, item: number, thread: number): void;
  linearScratchBytes(frame: number): number;
  packLinear(frame: number): void;
  packedLinearBytes(frame: number): number;
  turnPacked(frame: number): void;
  sumRows(frame: number): void;
  mergeStates(frame: number): void;
  rotate(frame: number): void;
  sine(x: number): number;
  cosine(x: number): number;
  exponential(x: number): number;
  logarithm(x: number): number;
  fusedMultiplyAdd(): number;
  relaxedSimd(): number;
  heapBase(): number;
  frameSlots(): number;
}

/** What the module imports; see assembly/attend/scores.ts. */
type ScoreModImport = (
  address: number,
  batch: number,
  head: number,
  query: number,
  key: number,
  rows: number,
  columns: number,
) => void;

export interface Engine {
  readonly kernels: Kernels;
  readonly arena: Arena;
  readonly variant: Variant;
  readonly fused: boolean;
  /** Byte address of the call frame. */
  readonly frame: number;
  /** Its slots as integers and as float32, see frameWords. */
  words: Int32Array;
  floats: Float32Array;
  /** What the call that runs does to its scores. */
  scoreMod: ((tile: ScoreTile) => void) | undefined;
  /** Whether the call that is being placed runs while others may use the engine. */
  shared: boolean;
  /** Workers on the same memory. */
  pool: Pool | undefined;
}

export interface MemoryOptions {
  /** Bytes of linear memory to start with. */
  initialMemory?: number | undefined;
  /** Most bytes linear memory may grow to; 4 GiB by default. */
  maximumMemory?: number | undefined;
}

/** Instantiates a plain build, or a threaded one on memory that can be shared. */
export function load(
  module: WebAssembly.Module,
  options: MemoryOptions,
  threaded = false,
): { engine: Engine; memory: WebAssembly.Memory } {
  const { memory, maximum } = reserve(options, threaded);
  try {
    const scoreMod: ScoreModImport = (address, batch, head, query, key, rows, columns) => {
      const start = (address >>> 0) / 4;
      const scores = engine.arena.floats.subarray(start, start + rows * columns);
      engine.scoreMod?.({ scores, batch, head, query, key, rows, columns });
    };
    // The loader asks by instanceof, which a module of another realm (an edge sandbox) does not pass.
    if (!(module instanceof WebAssembly.Module)) {
      Object.setPrototypeOf(module, WebAssembly.Module.prototype);
    }
    const { instance } = instantiateSync(module, { env: { memory }, caller: { scoreMod } });
    // The instance's own functions: the loader's are wrappers that cost three times the call.
    const kernels = instance.exports as unknown as Kernels;
    if (kernels.frameSlots?.() !== Slot.count) {
      throw new UnsupportedError(
        "createAttention",
        "module",
        `a build with a call frame of ${Slot.count} slots`,
        "a module of another package or version",
      );
    }
    const arena = new Arena(memory, kernels.heapBase(), maximum * PAGE);
    const frame = arena.allocate("createAttention", Slot.count * 4);
    const engine: Engine = {
      kernels,
      arena,
      frame,
      words: new Int32Array(0),
      floats: new Float32Array(0),
      scoreMod: undefined,
      shared: false,
      pool: undefined,
      ...probe(kernels),
    };
    return { engine, memory };
  } catch (error) {
    if (error instanceof AttentionError) throw error;
    if (error instanceof WebAssembly.CompileError) {
      // WebKit's policy lets a page compile, and refuses here.
      throw new UnsupportedError(
        "createAttention",
        "WebAssembly",
        "'wasm-unsafe-eval' in script-src of this page's or worker's Content-Security-Policy",
        String(error),
      );
    }
    throw new UnsupportedError(
      "createAttention",
      "module",
      "a wasm-attention build that this engine can instantiate",
      String(error),
    );
  }
}

/** Memory that may grow to what was asked for or, where nothing was, to what the platform grants. */
function reserve(options: MemoryOptions, shared: boolean) {
  const most = Math.min(Math.floor((options.maximumMemory ?? Infinity) / PAGE), MOST_PAGES);
  const initial = Math.min(Math.max(1, Math.ceil((options.initialMemory ?? 0) / PAGE)), most);
  for (let maximum = most; ; maximum = Math.floor(maximum / 2)) {
    try {
      return { memory: new WebAssembly.Memory({ initial, maximum, shared }), maximum };
    } catch (error) {
      const given = options.maximumMemory !== undefined;
      if (!given && maximum / 2 >= initial) continue;
      throw new MemoryError(
        "createAttention",
        given ? "maximumMemory" : "initialMemory",
        "bytes that this platform grants: fewer, or more address space for the process",
        `${(given ? most : initial) * PAGE}: ${error}`,
      );
    }
  }
}

/** The call frame, all slots 0. Valid until the next allocation. */
export function frameWords(engine: Engine): Int32Array {
  const { arena, frame } = engine;
  if (engine.words.buffer !== arena.buffer) {
    engine.words = arena.words.subarray(frame / 4, frame / 4 + Slot.count);
    engine.floats = arena.floats.subarray(frame / 4, frame / 4 + Slot.count);
  }
  return engine.words.fill(0);
}
