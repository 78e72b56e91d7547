import type { Plugin } from "esbuild";

export const workerSource: Plugin;
export function workerText(): string;
