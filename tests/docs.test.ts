// The documentation's code runs, and prints what its comments say.

import { readdirSync } from "node:fs";
import { test } from "node:test";
import { checkCode, checkCommands, checkLinks } from "./page";

const root = new URL("..", import.meta.url);
const pages = ["", "contributing/", "semantics/"].flatMap((folder) =>
  readdirSync(new URL(`docs/${folder}`, root))
    .filter((name) => name.endsWith(".md"))
    .map((name) => folder + name),
);
// Pages of links; what needs TensorFlow.js or one platform runs there: tests/tfjs/docs.test.ts, tests/nats/docs.test.ts and
// whatever uses tests/platform-lines.ts.
const withoutCode = [
  "semantics.md",
  "contributing/walk.md",
  "tfjs.md",
  "platforms.md",
  "shards-nats.md",
];

for (const page of pages) {
  if (!withoutCode.includes(page))
    test(`docs/${page}`, () => checkCode(page, new URL("build/", root)));
  test(`docs/${page}: its links lead somewhere`, () => checkLinks(page));
  test(`docs/${page}: its commands are there`, () => checkCommands(page));
}
