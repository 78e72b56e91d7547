// What a run of the battery leaves behind: rows of the table of engines, see scripts/engines.ts.

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

/**
 * The row of a default and a reproducible run. They and the `others`, of more threads, have to have
 * the digests they should.
 */
export function rowOf(
  where: Pick<Row, "engine" | "version" | "context">,
  usual: Report,
  reproducible: Report,
  ...others: readonly Report[]
): Row {
  const name = `${where.engine} ${where.version}, ${where.context}`;
  assert.equal(reproducible.variant, "portable", name);
  const reports = [usual, reproducible, ...others];
  for (const report of reports) check(name, report);
  return {
    ...where,
    build: usual.variant,
    fused: usual.fused,
    threads: Math.max(...reports.map(({ threads }) => threads)),
    coldStartMs: usual.coldStartMs,
    digest: usual.digest,
    reproducibleDigest: reproducible.digest,
  };
}

function check(name: string, report: Report): void {
  const { variant, fused, threads, cases, each } = report;
  const whole = report.trainingDigest !== "";
  assert.ok(cases > (whole ? 300 : 100), `${name}: ${cases} cases`);
  const build = `${variant}${fused ? ", fused" : ""}, threads: ${threads}`;
  // A multiply-add that rounds twice is the portable build's.
  const { training, caches, stored, blocks, variants, quantized, halves } = expected;
  const { digest, trainingDigest, cacheDigest, storedDigest, blocksDigest } = report;
  const digests = [
    ...[digest, trainingDigest, cacheDigest, storedDigest, blocksDigest],
    ...[report.variantsDigest, report.quantizedDigest, report.halvesDigest],
    ...[report.integersDigest, report.int8Digest, report.shardsDigest],
  ];
  const wanted = fused
    ? [expected.fused, training.fused, caches.fused, stored, blocks.fused, variants.fused]
    : [
        ...[expected.portable, training.portable, caches.portable, stored, blocks.portable],
        variants.portable,
      ];
  const kind = fused ? "fused" : "portable";
  wanted.push(quantized, halves[kind], expected.integers, expected.int8, expected.shards[kind]);
  const parts = whole ? digests.length : 1;
  assert.deepEqual(
    digests.slice(0, parts),
    wanted.slice(0, parts),
    `${name}, ${build}: ${JSON.stringify(each)}`,
  );
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
