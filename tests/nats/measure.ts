// Times of calls that take turns, and what the processor did meanwhile for each process.

import { readdirSync, readFileSync } from "node:fs";

export const quantile = (times: readonly number[], q: number) =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(q * times.length))] ?? NaN;

export const ms = (value: number) => `${value.toFixed(2)} ms`;

/** Milliseconds that a process's threads ran, and that they waited for a processor (Linux's schedstat). */
export interface Processor {
  readonly ran: number;
  readonly waited: number;
}

export function processorOf(pid: number): Processor {
  let [ran, waited] = [0, 0];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const [on, off] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ");
    ran += Number(on) / 1e6;
    waited += Number(off) / 1e6;
  }
  return { ran, waited };
}

export interface Measured {
  readonly times: number[];
  /** Of each process, for each call. */
  readonly processor: Record<string, Processor>;
}

/** Rounds until the engine has compiled what is called. */
const WARM = 25;

/** The kinds take turns; `pids` are of other processes that work for them. */
export async function takeTurns(
  kinds: Record<string, () => unknown>,
  pids: Record<string, number>,
  rounds: number,
): Promise<Record<string, Measured>> {
  const measured: Record<string, Measured> = {};
  const sums: Record<string, Record<string, { ran: number; waited: number }>> = {};
  const others = Object.keys(pids);
  for (const kind of Object.keys(kinds)) {
    measured[kind] = { times: [], processor: {} };
    sums[kind] = Object.fromEntries(
      ["client", ...others].map((name) => [name, { ran: 0, waited: 0 }]),
    );
  }
  for (let round = -WARM; round < rounds; round++) {
    for (const [kind, call] of Object.entries(kinds)) {
      // To look takes time too: this process looks at itself last, and first.
      const before = others.map((name) => processorOf(pids[name] as number));
      const own = processorOf(process.pid);
      const start = performance.now();
      await call();
      const time = performance.now() - start;
      const now = processorOf(process.pid);
      if (round < 0) continue;
      measured[kind]?.times.push(time);
      const add = (name: string, from: Processor, to: Processor) => {
        const sum = sums[kind]?.[name] as { ran: number; waited: number };
        sum.ran += to.ran - from.ran;
        sum.waited += to.waited - from.waited;
      };
      add("client", own, now);
      for (const [index, name] of others.entries())
        add(name, before[index] as Processor, processorOf(pids[name] as number));
    }
  }
  for (const [kind, of] of Object.entries(sums)) {
    for (const [name, { ran, waited }] of Object.entries(of)) {
      (measured[kind] as Measured).processor[name] = { ran: ran / rounds, waited: waited / rounds };
    }
  }
  return measured;
}
