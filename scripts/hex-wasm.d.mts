import type { Plugin } from "esbuild";

export const hexWasm: Plugin;
