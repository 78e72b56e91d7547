// The documentation's code runs, and prints what its comments say.

import { readdirSync } from "node:fs";
import { test } from "node:test";
import { checkCode, checkLinks } from "./page";

const root = new URL("..", import.meta.url);
const pages = readdirSync(new URL("docs", root)).filter((name) => name.endsWith(".md"));

for (const page of pages) {
  // What needs TensorFlow.js, or is for one platform, runs there: tests/tfjs/docs.test.ts and whatever
  // uses tests/platform-lines.ts.
  if (!["tfjs.md", "platforms.md"].includes(page))
    test(`docs/${page}`, () => checkCode(page, new URL("build/", root)));
  test(`docs/${page}: its links lead somewhere`, () => checkLinks(page));
}
