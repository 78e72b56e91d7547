// The class of an engine's arena: to fail an allocation that would succeed, or to say where a block lies.

import type { Arena } from "../src/memory/arena";
import { engine } from "./engines";

interface Running {
  running(operation: string): { readonly arena: Arena };
}

export async function arenaClass(): Promise<typeof Arena> {
  using attention = await engine("portable");
  const { arena } = (attention as unknown as Running).running("tests");
  return arena.constructor as typeof Arena;
}
