// The packed package on every server engine: the same digests, and what is refused says what to do.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Report } from "../battery/battery";
import { type Row, rowOf, tableOf, writeRows } from "../battery/rows";
import { runEdge } from "./edge";
import { coldStartMs, node, output, programs, runProgram, versionOf } from "./engines";
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
  rows.push(rowOf(engine, [usual, reproducible, usualTwo, reproducibleTwo]));
}

for (const program of programs) {
  test(`${program.engine}, ${program.context}`, () => {
    const { version, reports } = runProgram(program, project.folder, options);
    const { engine, context } = program;
    reports[0].coldStartMs = coldStartMs(program, project.folder);
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

for (const [name, arguments_, message] of [
  [
    "no WebAssembly",
    "--jitless refused.mjs {}",
    /^UnsupportedError: .* expected an engine that has/,
  ],
  ["no SIMD", "--no-enable-sse4-1 refused.mjs {}", /^UnsupportedError: .* one that refuses SIMD$/],
] as const) {
  test(`${name}, for real`, () => {
    for (const major of [20, 24]) {
      const [said] = output(node(major), arguments_.split(" "), project.folder);
      assert.match(said, message, `Node ${major}`);
    }
  });
}

test("memory refused, for real", () => {
  // Node 20 reserves the room for 4 GiB and its surroundings at once.
  const limited = 'ulimit -v 5000000 && exec "$0" refused.mjs "$1"';
  for (const [options, argument] of [
    [{}, "initialMemory"],
    [{ threads: 2 }, "initialMemory"],
    [{ maximumMemory: 2 ** 20 }, "maximumMemory"],
  ] as const) {
    const args = ["-c", limited, node(20), JSON.stringify(options)];
    const [said] = output("bash", args, project.folder);
    assert.match(said, new RegExp(`^MemoryError: createAttention: "${argument}" .*RangeError`));
  }
});

test("the table of all of them", () => {
  console.log(tableOf(rows));
  assert.equal(rows.length, programs.length + 3);
  writeRows("runtimes", rows);
});
