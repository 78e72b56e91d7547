// The documentation's code runs, and prints what its comments say.

import { readdirSync } from "node:fs";
import { test } from "node:test";
import { checkCode, checkLinks } from "./page";

const root = new URL("..", import.meta.url);
const pages = readdirSync(new URL("docs", root)).filter((name) => name.endsWith(".md"));

for (const page of pages) {
  // What needs TensorFlow.js runs beside it: tests/tfjs/docs.test.ts.
  if (page !== "tfjs.md") test(`docs/${page}`, () => checkCode(page, new URL("build/", root)));
  test(`docs/${page}: its links lead somewhere`, () => checkLinks(page));
}
