// The lines of docs/platforms.md that a user pastes, by the name of the file that they are for.

import { readFileSync } from "node:fs";

const text = readFileSync(new URL("../docs/platforms.md", import.meta.url), "utf8");

export function linesFor(file: string): string {
  const found = [...text.matchAll(/```\w+ (\S+)\n(.*?)```/gs)].find(([, name]) => name === file);
  if (!found) throw new Error(`docs/platforms.md has no lines for ${file}`);
  return found[2];
}
