// What the calling thread and the workers share besides linear memory, and how each does items.
//
// A call is open while `state` is odd. To enter, a thread counts itself `inside` and only then looks
// whether the call is open; to close, the calling thread changes `state` and waits until nobody
// is inside. So no thread does an item of a call that it did not enter.

import type { Module } from "../instance/modules";

export enum Control {
  state, // odd: a call is open; even: none; RETIRED: never again
  next, // the next item to do
  done, // items done
  inside, // workers that may be at work
  progress, // moves with every part of an item
  items,
  module, // which one does the work
  kernel, // and which operation of it
  call, // address of the call's frame
  announce, // 1: a worker that leaves says so by a message
  words,
}

export const RETIRED = -1;

/**
 * Does items until none is left. Gives up where `goOn` does, which is asked between parts and
 * again and again while what an item needs is not done.
 */
export function runItems(
  control: Int32Array,
  modules: readonly Module[],
  thread: number,
  goOn: (waiting: boolean) => boolean,
): boolean {
  const items = Atomics.load(control, Control.items);
  const module = modules[Atomics.load(control, Control.module)] as Module;
  const kernel = Atomics.load(control, Control.kernel);
  const call = Atomics.load(control, Control.call) >>> 0;
  for (;;) {
    const item = Atomics.add(control, Control.next, 1);
    if (item >= items) return true;
    const ready = module.ready(kernel, call, item);
    while (Atomics.load(control, Control.done) < ready) if (!goOn(true)) return false;
    let key = 0;
    do {
      key = module.run(kernel, call, item, thread, key);
      Atomics.add(control, Control.progress, 1);
      if (!goOn(false)) return false;
    } while (key);
    Atomics.add(control, Control.done, 1);
  }
}

/** Spins so often before it sleeps: what others are at is mostly done within microseconds. */
const SPINS = 2000;
const SLEEP_MS = 0.1;

/** A moment's rest for one that waits; asleep only where the thread may, unlike a page's. */
export function pauses(control: Int32Array, maySleep: boolean): () => void {
  let spins = 0;
  return () => {
    if (!maySleep || ++spins < SPINS) return;
    const done = Atomics.load(control, Control.done);
    Atomics.wait(control, Control.done, done, SLEEP_MS);
  };
}
