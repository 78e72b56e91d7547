// A worker of the pool: one more instance on the same memory, asleep until a call opens. Bundled into
// a text of its own, see scripts/worker-source.mjs.

import { type Module, stepTable } from "../instance/modules";
import { Control, pauses, RETIRED, runItems } from "./control";

/** What the pool sends to start a worker. */
export interface Start {
  readonly modules: readonly WebAssembly.Module[];
  readonly memory: WebAssembly.Memory;
  readonly control: Int32Array;
  /** Which part of a call's scratch is this worker's; 0 is the calling thread's. */
  readonly thread: number;
}

/** A third of a millisecond: the next call of a model's block finds its workers awake. */
const SPINS_BETWEEN_CALLS = 30_000;

/** Says "ready" once, then "left" after each call that asks for it; returns when the pool retires. */
export function work(
  { modules: builds, memory, control, thread }: Start,
  say: (what: string) => void,
) {
  const scoreMod = () => {
    throw new Error("scoreMod runs on the calling thread");
  };
  const imports = { env: { memory, table: stepTable() }, caller: { scoreMod } };
  const modules = builds.map(
    (build) => new WebAssembly.Instance(build, imports).exports as unknown as Module,
  );
  say("ready");
  let seen = 0;
  for (;;) {
    for (let spins = 0; spins < SPINS_BETWEEN_CALLS; spins++) {
      if (Atomics.load(control, Control.state) !== seen) break;
    }
    Atomics.wait(control, Control.state, seen);
    Atomics.add(control, Control.inside, 1);
    const state = Atomics.load(control, Control.state);
    const open = (state & 1) === 1 && state !== RETIRED;
    const announce = open && Atomics.load(control, Control.announce) === 1;
    if (open) {
      const rest = pauses(control, true);
      runItems(control, modules, thread, (waiting) => {
        if (waiting) rest();
        return Atomics.load(control, Control.state) === state;
      });
    }
    Atomics.sub(control, Control.inside, 1);
    if (announce) say("left");
    if (state === RETIRED) return;
    seen = state;
  }
}
