// The modules on one linear memory, by number: the core's is 0, then those of the extensions in the order
// they were named. Each knows its operations by number too, and does them all by one protocol; see
// assembly/core.ts.

import { ArgumentError } from "../errors";
import type { Engine } from "./instance";

export const CORE = 0;

/** A compiled module and what it is called. */
export interface Build {
  readonly name: string;
  readonly module: WebAssembly.Module;
}

/** What every module exports. Frames are byte addresses. */
export interface Module {
  scratchBytes(kernel: number, frame: number): number;
  items(kernel: number, frame: number): number;
  ready(kernel: number, frame: number, item: number): number;
  run(kernel: number, frame: number, item: number, thread: number, from: number): number;
  heapBase(): number;
  layout(): number;
  relaxedSimd(): number;
}

export interface CoreModule extends Module {
  packedLinearBytes(frame: number): number;
  fusedMultiplyAdd(): number;
}

/**
 * Functions of one module that another calls, steps of the tile loop: see STEPS of scripts/wasm.mjs.
 *
 * @internal Not every platform's declarations know a table.
 */
export function stepTable(): WebAssembly.Table {
  return new WebAssembly.Table({ element: "anyfunc", initial: 32 });
}

export type Modules = readonly [CoreModule, ...Module[]];

/**
 * The number of an extension's module.
 *
 * @throws ArgumentError where the engine was made without it.
 */
export function moduleOf({ extensions }: Engine, operation: string, name: string): number {
  const index = extensions.findIndex((extension) => extension.name === name);
  if (index >= 0) return index + 1;
  const expected = `an engine with it: createAttention({ extensions: [${name}] }), see wasm-attention/${name}`;
  const has = extensions.map(({ name }) => name).join(", ");
  throw new ArgumentError(operation, "attention", expected, `one with [${has}]`);
}
