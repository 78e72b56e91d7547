// Module → engine: one instance with its memory, its call frame and its arena.

import { instantiateSync } from "@assemblyscript/loader";
import { MOST_MASKS } from "../../assembly/kinds";
import { Mask, MOST_WORDS, Tile } from "../../build/frames";
import { LAYOUT } from "../../build/layout";
import type { ScoreTile } from "../attend/options";
import { ArgumentError, AttentionError, MemoryError, UnsupportedError } from "../errors";
import type { Extension } from "../extension";
import { Arena } from "../memory/arena";
import type { Pool } from "../threads/pool";
import { probe, type Variant } from "./builds";
import { type Build, CORE, type Module, type Modules, stepTable } from "./modules";

const PAGE = 65536;
/** Not the last of 4 GiB: an address after the end of a block in it would be 0 again. */
const MOST_PAGES = 65535;

/** Where a frame's masks lie: behind the largest of the frames. */
export const MASKS_AT = MOST_WORDS;
/** Words of any frame, with its masks. */
export const FRAME_WORDS = MASKS_AT + MOST_MASKS * Mask.words;

export interface Engine {
  readonly modules: Modules;
  /** Whose modules come after the core's. */
  readonly extensions: readonly Extension[];
  readonly arena: Arena;
  readonly variant: Variant;
  readonly fused: boolean;
  /** Byte address of the call frame. */
  readonly frame: number;
  /** Its words as integers and as float32, see clearedFrame. */
  words: Int32Array;
  floats: Float32Array;
  /** What the call that runs does to its scores; `step` is how far the module has come with the tile. */
  scoreMod: ((tile: ScoreTile, step: number) => void) | undefined;
  /** Whether the call that is being staged runs while others may use the engine. */
  concurrent: boolean;
  /** Workers on the same memory. */
  pool: Pool | undefined;
}

export interface MemoryOptions {
  /** Bytes of linear memory to start with. */
  initialMemory?: number | undefined;
  /** Most bytes linear memory may grow to; 4 GiB by default. */
  maximumMemory?: number | undefined;
}

/** Instantiates plain builds, or threaded ones on memory that can be shared. */
export function load(
  builds: readonly Build[],
  extensions: readonly Extension[],
  options: MemoryOptions,
  threaded = false,
): { engine: Engine; memory: WebAssembly.Memory } {
  const { memory, maximum } = reserve(options, threaded);
  const scoreMod = (address: number, tile: number) => {
    const { words, floats } = engine.arena;
    const at = tile >>> 2;
    const rows = words[at + Tile.rows] as number;
    const columns = words[at + Tile.columns] as number;
    const start = (address >>> 0) / 4;
    const given: ScoreTile = {
      scores: floats.subarray(start, start + rows * columns),
      batch: words[at + Tile.b] as number,
      head: words[at + Tile.h] as number,
      query: words[at + Tile.row] as number,
      key: words[at + Tile.column] as number,
      rows,
      columns,
    };
    engine.scoreMod?.(given, tile & 3);
  };
  const imports = { env: { memory, table: stepTable() }, caller: { scoreMod } };
  const modules = builds.map((build) => instantiate(build, imports)) as unknown as Modules;
  const heapBase = Math.max(...modules.map((module) => module.heapBase()));
  const arena = new Arena(memory, heapBase, maximum * PAGE);
  const engine: Engine = {
    modules,
    extensions,
    arena,
    frame: arena.allocate("createAttention", FRAME_WORDS * 4),
    words: new Int32Array(0),
    floats: new Float32Array(0),
    scoreMod: undefined,
    concurrent: false,
    pool: undefined,
    ...probe(modules[CORE]),
  };
  return { engine, memory };
}

function instantiate({ name, module }: Build, imports: WebAssembly.Imports): Module {
  const argument = name === "core" ? "module" : `module.${name}`;
  try {
    // The loader asks by instanceof, which a module of another realm (an edge sandbox) does not pass.
    if (!(module instanceof WebAssembly.Module)) {
      Object.setPrototypeOf(module, WebAssembly.Module.prototype);
    }
    const { instance } = instantiateSync(module, imports as never);
    // The instance's own functions: the loader's are wrappers that cost three times the call.
    const exports = instance.exports as unknown as Module;
    if (exports.layout?.() === LAYOUT) return exports;
    throw new UnsupportedError(
      "createAttention",
      argument,
      "a build of this version",
      "a module of another package or version",
    );
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
      argument,
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

/** A call from inside scoreMod would move the memory under the call that is running. */
export function checkIdle({ scoreMod }: Engine, operation: string): void {
  if (!scoreMod) return;
  const expected = "an engine that is not running a scoreMod";
  throw new ArgumentError(operation, "attention", expected, "a call from inside it");
}

/** The call frame, all words 0. Valid until the next allocation. */
export function clearedFrame(engine: Engine): Int32Array {
  const { arena, frame } = engine;
  if (engine.words.buffer !== arena.buffer) {
    engine.words = arena.words.subarray(frame / 4, frame / 4 + FRAME_WORDS);
    engine.floats = arena.floats.subarray(frame / 4, frame / 4 + FRAME_WORDS);
  }
  return engine.words.fill(0);
}
