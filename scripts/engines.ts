// npm run engines [-- --check]: the table of engines in docs/engines.md, from the rows that the last runs of
// test:runtimes and test:browsers have left. --check changes nothing, and fails where the table says
// something else than they do, besides versions and times.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Row, tableOf } from "../tests/battery/rows";

const folder = new URL("../build/engines/", import.meta.url);
const page = new URL("../docs/engines.md", import.meta.url);

// Servers before browsers.
const files = readdirSync(folder).sort().reverse();
const rows = files.flatMap((name): Row[] =>
  JSON.parse(readFileSync(new URL(name, folder), "utf8")),
);
assert.ok(rows.length > 0, "no rows: npm run test:runtimes");

const text = readFileSync(page, "utf8");
const [begin, end] = ["<!-- engines -->\n\n", "\n\n<!-- /engines -->"];
const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
assert.ok(
  from >= begin.length && to >= from,
  "docs/engines.md has lost its markers of the engines",
);

/** Cells that are the same on every machine. */
const lasting = (table: string) =>
  table
    .split("\n")
    .map((line) => line.split(" | ").filter((_, column) => ![1, 6].includes(column)));

const table = tableOf(rows);
if (process.argv.includes("--check")) {
  assert.deepEqual(lasting(text.slice(from, to)), lasting(table), "npm run engines");
} else {
  writeFileSync(page, text.slice(0, from) + table + text.slice(to));
}
