// The modules on one linear memory, by number: the core first, then the extensions. Each knows its
// operations by number too, and does them all by one protocol; see assembly/core.ts.

export const CORE = 0;
export const TRAINING = 1;
export const POSITIONS = 2;

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

/** Functions of float64, the same bits on every engine. */
export interface Transcendentals {
  sine(x: number): number;
  cosine(x: number): number;
  exponential(x: number): number;
  logarithm(x: number): number;
}

export type Modules = readonly [CoreModule, Module, Module & Transcendentals];
