// What a run of the battery leaves behind: rows of the table of engines, see scripts/engines.ts.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import type { Report } from "./battery";
import { expectedOf, GROUPS, type Group } from "./expected";

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
  /** Of the core's cases, by the default build. */
  digest: string;
  reproducibleDigest: string;
}

/**
 * The row of a default and a reproducible run. They and the `others`, of more threads, have to have
 * the digests of `parts` that they should.
 */
export function rowOf(
  where: Pick<Row, "engine" | "version" | "context">,
  [usual, reproducible, ...others]: readonly [Report, Report, ...Report[]],
  parts: readonly Group[] = GROUPS,
): Row {
  const name = `${where.engine} ${where.version}, ${where.context}`;
  assert.equal(reproducible.variant, "portable", name);
  const reports = [usual, reproducible, ...others];
  for (const report of reports) checkDigests(report, name, parts);
  return {
    ...where,
    build: usual.variant,
    fused: usual.fused,
    threads: Math.max(...reports.map(({ threads }) => threads)),
    coldStartMs: usual.coldStartMs,
    digest: usual.digests.core as string,
    reproducibleDigest: reproducible.digests.core as string,
  };
}

/** A multiply-add that rounds twice gives the portable build's bits. */
export function checkDigests(report: Report, name: string, parts: readonly Group[] = GROUPS): void {
  const { variant, fused, threads, digests, each } = report;
  const build = `${variant}${fused ? ", fused" : ""}, threads: ${threads}`;
  const said = `${name}, ${build}: ${JSON.stringify(each)}`;
  assert.deepEqual(digests, expectedOf(parts, fused), said);
}

/** In Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const heading = [
    ...["engine", "version", "where", "build", "multiply-add", "threads", "cold start"],
    ...["digest", "digest, `reproducible`"],
  ];
  const lines = rows.map((row) => [
    row.engine,
    row.version,
    row.context,
    row.build,
    row.fused ? "fused" : "two roundings",
    `${row.threads}`,
    row.coldStartMs === null ? "" : `${Math.round(row.coldStartMs)} ms`,
    `\`${row.digest.slice(0, 8)}\``,
    `\`${row.reproducibleDigest.slice(0, 8)}\``,
  ]);
  return [heading, heading.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** Leaves rows for `npm run engines`, in build/engines/NAME.json. */
export function writeRows(name: string, rows: readonly Row[]): void {
  assert.ok(rows.length > 0, `no rows of ${name}`);
  const folder = new URL("../../build/engines/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(rows, null, 2)}\n`);
}
