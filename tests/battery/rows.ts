// What a run of the battery leaves behind: rows of the table of engines, see scripts/engines.mjs.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import type { Report } from "./battery";
import * as expected from "./expected";

export interface Row {
  engine: string;
  version: string;
  /** Where in the engine: "main thread", "module worker", "service worker", a server's name, … */
  context: string;
  build: string;
  fused: boolean;
  threads: number;
  /** From before the import, or from createAttention where it is a static one, to a first result. */
  coldStartMs: number | null;
  /** Of the default build. */
  digest: string;
  reproducibleDigest: string;
}

/** The row of a default and a reproducible run; both have to have the digests they should. */
export function rowOf(
  where: Pick<Row, "engine" | "version" | "context">,
  usual: Report,
  reproducible: Report,
): Row {
  const name = `${where.engine} ${where.version}, ${where.context}`;
  assert.equal(reproducible.variant, "portable", name);
  check(name, reproducible);
  check(name, usual);
  return {
    ...where,
    build: usual.variant,
    fused: usual.fused,
    threads: usual.threads,
    coldStartMs: usual.coldStartMs,
    digest: usual.digest,
    reproducibleDigest: reproducible.digest,
  };
}

function check(name: string, { variant, fused, threads, digest, cases }: Report): void {
  assert.ok(cases > 100, `${name}: ${cases} cases`);
  const build = `${variant}${fused ? ", fused" : ""}, ${threads} threads`;
  // Of a relaxed build that rounds twice nothing is promised.
  if (variant === "portable") assert.equal(digest, expected.portable, `${name}, ${build}`);
  else if (fused) assert.equal(digest, expected.fused, `${name}, ${build}`);
}

/** Leaves rows for `npm run engines`, in build/engines/NAME.json. */
export function writeRows(name: string, rows: readonly Row[]): void {
  assert.ok(rows.length > 0, `no rows of ${name}`);
  const folder = new URL("../../build/engines/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(rows, null, 2)}\n`);
}
