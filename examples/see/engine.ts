// The engine that the commands run on, and their line of progress.

import pc from "picocolors";
import { createAttention } from "wasm-attention";
import { blocks } from "wasm-attention/blocks";
import { positions } from "wasm-attention/positions";
import { training as gradients } from "wasm-attention/training";
import { bar, curve } from "../translation/progress";

export const createEngine = () =>
  createAttention({
    threads: "auto",
    reproducible: true,
    extensions: [blocks, positions, gradients],
  });

export const counted = (n: number) => n.toLocaleString("en");

export interface Spent {
  readonly seconds: number;
  /** Of all threads together. */
  readonly cpuSeconds: number;
}

/** Goes through the steps of a course, and shows how far it is. */
export function follow(losses: Iterable<number>, steps: number): Spent {
  const done: number[] = [];
  const begin = performance.now();
  const before = process.cpuUsage();
  for (const loss of losses) {
    done.push(loss);
    const terminal = process.stdout.isTTY;
    if (!terminal && done.length % Math.ceil(steps / 10) !== 0 && done.length !== steps) continue;
    const seconds = (performance.now() - begin) / 1000;
    const left = (seconds / done.length) * (steps - done.length);
    const recent = done.slice(-20);
    const mean = recent.reduce((a, b) => a + b) / recent.length;
    const line = `  ${pc.cyan(bar(done.length / steps, 30))} ${done.length}/${steps}   loss ${mean.toFixed(3)}   ${left.toFixed(0)} s left`;
    process.stdout.write(terminal ? `\r\u001b[K${line}` : `${line}\n`);
  }
  const { user, system } = process.cpuUsage(before);
  const spent = {
    seconds: (performance.now() - begin) / 1000,
    cpuSeconds: (user + system) / 1e6,
  };
  console.log(`\n  ${pc.cyan(curve(done, 60))} loss\n`);
  return spent;
}
