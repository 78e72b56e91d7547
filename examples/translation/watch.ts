// A training as it is watched in a terminal: a bar that moves, elsewhere a line for each tenth.

import pc from "picocolors";
import { bar, curve } from "./progress";

/** Runs it to its end; what it cost. */
export function watch(steps: number, losses: Iterable<number>) {
  const all: number[] = [];
  const begin = performance.now();
  let drawn = begin;
  for (const loss of losses) {
    all.push(loss);
    const now = performance.now();
    const due = process.stdout.isTTY
      ? now - drawn > 100
      : Math.floor((all.length * 10) / steps) > Math.floor(((all.length - 1) * 10) / steps);
    if (!due && all.length < steps) continue;
    drawn = now;
    const each = (now - begin) / all.length;
    const recent = all.slice(-20);
    const line = [
      `  ${pc.cyan(bar(all.length / steps, 30))} ${all.length}/${steps}`,
      `loss ${(recent.reduce((a, b) => a + b) / recent.length).toFixed(4)}`,
      `${each.toFixed(0)} ms a step`,
      `${(((steps - all.length) * each) / 1000).toFixed(0)} s left`,
    ].join("   ");
    process.stdout.write(process.stdout.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
  }
  const seconds = (performance.now() - begin) / 1000;
  console.log(
    `${process.stdout.isTTY ? "\n" : ""}  ${pc.cyan(curve(all, 60))} loss, on a logarithmic scale\n`,
  );
  return { losses: all, seconds };
}
