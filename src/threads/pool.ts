// Workers that share the linear memory. They and the calling thread do a call's items by an atomic
// counter; which thread does an item changes no bit of it.
//
// A worker may fail to start, be killed while it holds an item or stop answering. Then the pool
// retires: its workers are ended, calls go on with one thread, and what a late worker might still
// write to stays out of use until its end is known.

import type { Module } from "../instance/modules";
import type { Arena } from "../memory/arena";
import type { Work } from "../run/steps";
import { Control, pauses, RETIRED, runItems } from "./control";

/** A running worker, whatever the platform calls it. */
export interface StartedWorker {
  /** Ends it. Settles once it cannot write any more; never, where that cannot be known. */
  end(): Promise<unknown>;
}

/** Starts a worker: `onMessage` gets what it says, `failed` why it is no more. */
export type Enlist = (
  thread: number,
  onMessage: (what: string) => void,
  failed: (reason: string) => void,
) => StartedWorker;

/** Without any progress for so long, a worker has been killed or has stopped answering. */
const STALL_MS = 2000;
/** More than LOOK_MS: a page's timers may be late. */
const AWAY_MS = 200;
/** A worker that has not started by then never will. */
const START_MS = 10_000;
/** How often a call that runs on the workers alone is looked at. */
const LOOK_MS = 20;

export class Pool {
  /** Threads that do items, the calling one included; 1 once retired. */
  threads: number;
  /** Why it has retired. */
  reason: string | undefined;
  readonly #control: Int32Array;
  readonly #workers: readonly StartedWorker[];
  readonly #maySleep: boolean;
  #busy = false;
  #wake: () => void = () => {};
  #ended: Promise<unknown> | undefined;

  private constructor(control: Int32Array, workers: StartedWorker[]) {
    this.#control = control;
    this.#workers = workers;
    this.threads = workers.length + 1;
    this.#maySleep = maySleep(control);
  }

  /** Starts `threads` − 1 workers on `control`, and waits until all are ready. */
  static async start(control: Int32Array, threads: number, enlist: Enlist): Promise<Pool> {
    const workers: StartedWorker[] = [];
    let pool: Pool | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error("a worker does not start")), START_MS);
        let ready = 0;
        for (let thread = 1; thread < threads; thread++) {
          const onMessage = (what: string) => {
            if (what === "ready" && ++ready === threads - 1) resolve();
            if (pool) pool.#wake();
          };
          const failed = (reason: string) => {
            reject(new Error(reason));
            pool?.retire(reason);
          };
          workers.push(enlist(thread, onMessage, failed));
        }
      });
      pool = new Pool(control, workers);
      return pool;
    } catch (error) {
      for (const worker of workers) void worker.end();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether a call can be opened now. */
  get idle(): boolean {
    return this.threads > 1 && !this.#busy;
  }

  /** Does all items, on this thread too; false if it had to give up, and the pool has retired. */
  run(work: Work, modules: readonly Module[]): boolean {
    const control = this.#control;
    this.#open(work, 0);
    const rest = pauses(control, this.#maySleep);
    const stalled = stallWatch(control);
    const goOn = (waiting: boolean) => {
      if (!waiting) return true;
      rest();
      return !stalled();
    };
    let complete = runItems(control, modules, 0, goOn);
    const until = (reached: () => boolean) => {
      while (!reached()) if (!goOn(true)) return false;
      return true;
    };
    complete = complete && until(() => this.#count(Control.done) === work.items);
    this.#close();
    const left = until(() => this.#count(Control.inside) === 0);
    if (!complete || !left) this.retire("a worker stopped answering");
    return complete;
  }

  /**
   * Does all items on the workers alone, without holding this thread; false if they could not.
   * Ends early, with the items half done, once `interrupted` says so.
   */
  async runAsync(work: Work, interrupted: () => boolean): Promise<boolean> {
    this.#busy = true;
    try {
      this.#open(work, 1);
      const stalled = stallWatch(this.#control);
      const goOn = () => !this.#ended && !stalled();
      const done = () => this.#count(Control.done) === work.items;
      while (!done() && !interrupted() && goOn()) await this.#look();
      const complete = done();
      this.#close();
      while (this.#count(Control.inside) && goOn()) await this.#look();
      const answered = complete || interrupted();
      if (!answered || this.#count(Control.inside)) this.retire("a worker stopped answering");
      return complete || (!this.#ended && interrupted());
    } finally {
      this.#busy = false;
    }
  }

  /** Releases a block once no late write can come. */
  async quarantine(arena: Arena, address: number): Promise<void> {
    await this.#ended;
    arena.release(address);
  }

  /** Ends the workers; a second call does nothing. */
  retire(reason: string): void {
    if (this.#ended) return;
    this.threads = 1;
    this.reason = reason;
    Atomics.store(this.#control, Control.state, RETIRED);
    Atomics.notify(this.#control, Control.state);
    this.#ended = Promise.all(this.#workers.map((worker) => worker.end()));
    this.#wake();
  }

  #count(of: Control): number {
    return Atomics.load(this.#control, of);
  }

  #open({ items, module, kernel, call }: Work, announce: number): void {
    const control = this.#control;
    Atomics.store(control, Control.next, 0);
    Atomics.store(control, Control.done, 0);
    Atomics.store(control, Control.items, items);
    Atomics.store(control, Control.module, module);
    Atomics.store(control, Control.kernel, kernel);
    Atomics.store(control, Control.call, call);
    Atomics.store(control, Control.announce, announce);
    this.#nextState();
    Atomics.notify(control, Control.state);
  }

  #close(): void {
    if (this.threads > 1) this.#nextState();
  }

  #nextState(): void {
    const state = (this.#count(Control.state) + 1) & 0x3fffffff;
    Atomics.store(this.#control, Control.state, state);
  }

  /** Settles when a worker has something to say, or soon; its timer keeps the process alive. */
  async #look(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, LOOK_MS);
    });
    clearTimeout(timer);
  }
}

function maySleep(control: Int32Array): boolean {
  try {
    Atomics.wait(control, Control.state, 0, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Tells whether no thread has made any progress for STALL_MS. A longer gap than AWAY_MS between two
 * looks was a time in which this thread did not run either: a sleeping machine is no dead worker.
 */
function stallWatch(control: Int32Array): () => boolean {
  let progress = Atomics.load(control, Control.progress);
  let last = performance.now();
  let waited = 0;
  return () => {
    const now = performance.now();
    const current = Atomics.load(control, Control.progress);
    waited = current === progress ? waited + Math.min(now - last, AWAY_MS) : 0;
    progress = current;
    last = now;
    return waited > STALL_MS;
  };
}
