// The packed package on every server engine: the same digests, and what is refused says what to do.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Report } from "../battery/battery";
import { type Row, rowOf, tableOf, writeRows } from "../battery/rows";
import { runEdge } from "./edge";
import { programs, runProgram, versionOf } from "./engines";
import { type Project, scratchProject } from "./project";
import { post, type Server, startWorkerd, startWrangler } from "./servers";

const options = [
  {},
  { threads: 2 },
  { reproducible: true },
  { reproducible: true, threads: 2 },
] as const;

const rows: Row[] = [];
let project: Project;

before(async () => {
  project = await scratchProject();
});
after(() => project?.remove());

/** Reports by the order of `options`. */
function record(
  engine: Pick<Row, "engine" | "version" | "context">,
  [usual, usualTwo, reproducible, reproducibleTwo]: Report[],
  threads: { most: number; fallback?: RegExp },
) {
  for (const two of [usualTwo, reproducibleTwo]) {
    assert.equal(two.threads, threads.most, two.threadsFallback);
    assert.match(two.threadsFallback ?? "", threads.fallback ?? /^$/);
  }
  rows.push(rowOf(engine, usual, reproducible, usualTwo, reproducibleTwo));
}

for (const program of programs) {
  test(`${program.engine}, ${program.context}`, () => {
    const { version, reports } = runProgram(program, project.folder, options);
    const { engine, context } = program;
    record({ engine, version, context }, reports, { most: 2 });
  });
}

const noWorkers = { most: 1, fallback: /^this platform has no workers$/ };

/** What the default bundle says where bytes may not be compiled, and what it then does. */
function refusedThenGiven({ refused, variant }: { refused: Error; variant: string }) {
  assert.equal(refused.name, "UnsupportedError");
  assert.match(
    refused.message,
    /^createAttention: "module" expected a WebAssembly\.Module of this package's portable\.wasm or relaxed\.wasm, since bytes may not be compiled here .*: CompileError: .*disallowed by embedder/,
  );
  assert.equal(variant, "portable");
}

async function reportsOf(server: Server): Promise<Report[]> {
  const reports: Report[] = [];
  for (const body of options) reports.push(await post(server.addresses.battery, body));
  return reports;
}

test("workerd", async () => {
  const server = await startWorkerd(project.folder);
  try {
    const where = { engine: "workerd", version: versionOf("workerd"), context: "workerd serve" };
    record(where, await reportsOf(server), noWorkers);
    refusedThenGiven(await post(server.addresses.refusing, {}));
  } finally {
    await server.end();
  }
});

test("wrangler", async () => {
  const server = await startWrangler(project.folder);
  try {
    const where = { engine: "wrangler", version: versionOf("wrangler"), context: "wrangler dev" };
    record(where, await reportsOf(server), noWorkers);
  } finally {
    await server.end();
  }
});

test("Vercel's edge runtime", async () => {
  const version = versionOf("@edge-runtime/vm");
  const where = { engine: "@edge-runtime/vm", version, context: "on Node 24, ?module" };
  record(where, await runEdge(project.folder, "edge-function.mjs", options), noWorkers);
  const [answer] = await runEdge(project.folder, "edge-refusing.mjs", [{}]);
  refusedThenGiven(answer);
});

test("the table of all of them", () => {
  console.log(tableOf(rows));
  assert.equal(rows.length, programs.length + 3);
  writeRows("runtimes", rows);
});
