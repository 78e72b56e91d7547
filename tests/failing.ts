// Allocations that fail, after so many more.

import { MemoryError } from "wasm-attention";
import { arenaClass } from "./arena";

export interface Failing {
  /** Runs `act` with the `nth` allocation from now on failing, from 0; gives whether that happened. */
  during(nth: number, act: () => void): boolean;
}

/** Of all engines from now on. */
export async function failing(): Promise<Failing> {
  const { prototype } = await arenaClass();
  const { allocate } = prototype;
  let remaining = Number.POSITIVE_INFINITY;
  prototype.allocate = function (operation, bytes) {
    if (remaining-- === 0) throw new MemoryError(operation, "memory", `${bytes}`, "none");
    return allocate.call(this, operation, bytes);
  };
  return {
    during(nth, act) {
      remaining = nth;
      try {
        act();
        return false;
      } catch (error) {
        if (remaining < 0 && error instanceof MemoryError) return true;
        throw error;
      } finally {
        remaining = Number.POSITIVE_INFINITY;
      }
    },
  };
}
