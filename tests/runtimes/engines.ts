// Where the engines are, and how those that are a program of their own are run.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Report } from "../battery/battery";

export const installed = (path: string) =>
  fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));

export const versionOf = (name: string): string =>
  JSON.parse(readFileSync(installed(`${name}/package.json`), "utf8")).version;

export const node = (major: number) => installed(`node-${major}/bin/node`);

export interface Program {
  engine: string;
  context: string;
  command: string;
  args: readonly string[];
}

const nodes = [20, 22, 24, 26].map((major) => ({
  engine: `Node ${major}`,
  context: "process",
  command: node(major),
  args: [],
}));

export const programs: readonly Program[] = [
  ...nodes,
  {
    ...nodes[0],
    context: "process, --experimental-wasm-relaxed-simd",
    args: ["--experimental-wasm-relaxed-simd"],
  },
  // As on a processor that has no fused multiply-add.
  { ...nodes[2], context: "process, --no-enable-fma3", args: ["--no-enable-fma3"] },
  {
    engine: "Deno",
    context: "process, without permissions",
    command: installed("@deno/linux-x64-glibc/deno"),
    args: ["run", "--no-prompt"],
  },
  {
    engine: "Bun",
    context: "process",
    command: installed("@oven/bun-linux-x64/bin/bun"),
    args: ["run"],
  },
];

/** Its last lines of output, or what went wrong. */
export function output(command: string, args: readonly string[], cwd: string): string[] {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: 120_000,
    maxBuffer: 1e8,
  });
  assert.equal(status, 0, `${command} ${args.join(" ")}: ${error ?? ""}\n${stdout}\n${stderr}`);
  return stdout.trimEnd().split("\n");
}

export function runProgram({ command, args }: Program, folder: string, options: readonly object[]) {
  const lines = output(command, [...args, "main.mjs", JSON.stringify(options)], folder);
  return JSON.parse(lines.at(-1) as string) as { version: string; reports: Report[] };
}

/** From before the import to a first result: the median of so many processes. */
const STARTS = 5;

export function coldStartMs({ command, args }: Program, folder: string): number {
  const times = Array.from({ length: STARTS }, () =>
    Number(output(command, [...args, "first.mjs"], folder).at(-1)),
  );
  return times.sort((a, b) => a - b)[(STARTS - 1) / 2];
}
