// Engines whose blocks lie at the end of memory: the first ends with its last byte, the next ends where
// that begins. What reads or writes past a block's end traps, or meets the block behind it.

import type { Arena } from "../src/memory/arena";
import { arenaClass } from "./arena";
import { engine, type Variant, type Whole } from "./engines";

/** Blocks of an arena by address. */
const blocks = new WeakMap<Arena, Map<number, number>>();

export async function enginesAtTheEnd() {
  const { prototype } = await arenaClass();
  const { allocate, release } = prototype;
  prototype.allocate = function (operation, bytes) {
    const known = blocks.get(this) ?? new Map<number, number>();
    blocks.set(this, known);
    // The call frame, at the beginning.
    if (known.size === 0) {
      const frame = allocate.call(this, operation, bytes);
      known.set(frame, bytes);
      return frame;
    }
    const size = Math.max(Math.ceil(bytes / 64) * 64, 64);
    const [frame, ...others] = [...known.keys()].sort((a, b) => a - b) as [number, ...number[]];
    const low = frame + Math.ceil((known.get(frame) as number) / 64) * 64;
    const gap = (others[0] ?? this.maximum) - low - size;
    // What is free below is taken for as long as it takes to place the block behind it.
    const filler = gap > 0 ? allocate.call(this, operation, gap) : undefined;
    try {
      const block = allocate.call(this, operation, bytes);
      known.set(block, bytes);
      return block;
    } finally {
      if (filler !== undefined) release.call(this, filler);
    }
  };
  prototype.release = function (address) {
    const { used } = this;
    release.call(this, address);
    // A block that a call still reads stays.
    if (this.used !== used) blocks.get(this)?.delete(address);
  };
  return async (variant: Variant, maximumMemory: number): Promise<Whole> => {
    const options = { initialMemory: maximumMemory, maximumMemory };
    return engine(variant, options);
  };
}
