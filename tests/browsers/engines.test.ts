// Every browser, in every context and under every policy: the same bits, the right build, threads or
// why there are none, errors that say what to do. Leaves rows for docs/engines.md.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GROUPS } from "../battery/expected";
import { type Row, rowOf, tableOf, writeRows } from "../battery/rows";
import { type Browser, chromium, firefox, webkit } from "./launch";
import type { Memory } from "./pages/memory";
import type { Outcome } from "./pages/outcome";
import type { Contexts } from "./pages/page";
import { type Reports, reports } from "./reports";

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
const policy = (scripts: string) => ({
  "Content-Security-Policy": `default-src 'self'; script-src 'self'${scripts}; worker-src 'self'`,
});
const policies = { plain: {}, policy: policy(" 'wasm-unsafe-eval'"), refused: policy("") };

const settings: Record<string, Record<string, string>> = {};
for (const [name, headers] of Object.entries(policies)) {
  settings[name] = headers;
  settings[`isolated-${name}`] = { ...isolation, ...headers };
}

const browsers = [
  { browser: chromium(), build: "relaxed" },
  { browser: firefox(), build: "relaxed" },
  { browser: webkit(), build: "portable" }, // it has no relaxed SIMD
];

/** What the table of docs/engines.md needs: policies change no column of it, and one service worker says all. */
const told = [
  "main thread",
  "main thread, isolated",
  "main thread, isolated, shared memory on",
  "module worker, isolated",
  "service worker",
];

/** Where all of the battery runs: once without threads, once with. */
const whole = /^(main thread|module worker, isolated(, shared memory on)?)$/;

let server: Reports;
const rows = new Map<string, Row[]>();

before(async () => {
  server = await reports(settings);
});

after(() => {
  server?.close();
  const all = [...rows.values()].flat();
  if (all.length === 0) return; // every visit has failed, and said so
  console.log(tableOf(all));
  writeRows(
    "browsers",
    all.filter(({ context }) => told.includes(context)),
  );
});

for (const { browser, build } of browsers) {
  for (const setting of Object.keys(settings)) {
    test(`${browser.name}, ${setting}`, () => visit(browser, build, setting));
  }
  test(`${browser.name}: memory is let go of, and refused with an error of its own`, async () => {
    const memory = await server.from<Memory>(browser, "/plain/memory.html");
    assert.equal(memory.outputs.length, 200);
    assert.deepEqual(memory.rounds.length, 2);
    const [output] = memory.outputs;
    assert.ok(output > 2.9 && output < 3, `${output}`);
    assert.ok(memory.outputs.every((other) => other === output));
    for (const { held, refusal, growth, tooLarge, after } of memory.rounds) {
      assert.ok(held > 0, "1 GiB is to be had");
      assert.equal(refusal.name, "MemoryError", refusal.message);
      assert.match(refusal.message, /^createAttention: /);
      // Other browsers set the room to grow aside at the start, and grant it.
      if (growth || browser.name === "WebKitGTK") assert.equal(growth?.name, "MemoryError");
      assert.equal(tooLarge?.name, "MemoryError", tooLarge?.message);
      assert.equal(after, output);
    }
    const [first, second] = memory.rounds;
    assert.ok(second.held * 2 > first.held, `${first.held} engines, then only ${second.held}`);
  });
}

// As in Safari; WebKitGTK has it behind a switch.
test("WebKitGTK with shared memory, isolated", () =>
  visit(
    webkit({ JSC_useSharedArrayBuffer: "1" }),
    "portable",
    "isolated-plain",
    "shared memory on",
  ));

async function visit(browser: Browser, build: string, setting: string, ...remarks: string[]) {
  const contexts = await server.from<Contexts>(browser, `/${setting}/page.html`);
  const names = Object.keys(contexts);
  assert.deepEqual(names, [
    "main thread",
    "module worker",
    "service worker",
    "classic service worker",
  ]);
  for (const [name, outcome] of Object.entries(contexts)) {
    const where = setting.split("-").filter((part) => part !== "plain");
    const context = [name, ...where, ...remarks].join(", ");
    const service = name.includes("service");
    const isolated = setting.startsWith("isolated");
    // Whether a service worker is isolated, browsers disagree.
    if (!service) assert.equal(outcome.isolated, isolated, context);
    if (setting.endsWith("refused")) checkRefusal(context, outcome);
    else checkResults(browser, context, outcome, build, isolated && !service);
  }
}

function checkRefusal(context: string, { result }: Outcome): void {
  assert.ok("typed" in result, `${context}: compiled in spite of the policy`);
  assert.ok(result.typed, `${context}: ${result.name}: ${result.message}`);
  assert.equal(result.name, "UnsupportedError");
  // Of our own words, not of the browser's, some of which name it too.
  const advice =
    /expected .*'wasm-unsafe-eval' (in|to) script-src .*Content-Security-Policy.*, got /;
  assert.match(result.message, advice, context);
}

function checkResults(
  { name: engine, version }: Browser,
  context: string,
  { result, shares }: Outcome,
  build: string,
  mayShare: boolean,
): void {
  if ("typed" in result) assert.fail(`${context}: ${result.name}: ${result.message}`);
  const { coldStartMs, usual, reproducible } = result;
  assert.equal(usual.variant, build, context);
  for (const { threads, threadsFallback } of [usual, reproducible]) {
    assert.equal(threads, mayShare && shares ? 2 : 1, `${context}: ${threadsFallback}`);
    if (threads === 2) assert.equal(threadsFallback, undefined);
    else if (context.includes("service")) assert.match(threadsFallback ?? "", /service worker/);
    else if (mayShare) assert.match(threadsFallback ?? "", /no SharedArrayBuffer/);
    else assert.match(threadsFallback ?? "", /not cross-origin isolated/);
  }
  // JSC's default; every other browser has it on an isolated page.
  if (mayShare && engine !== "WebKitGTK") assert.ok(shares, context);
  if (context.includes("shared memory on")) assert.ok(shares, context);
  const runs = [{ ...usual, coldStartMs }, reproducible] as const;
  const row = rowOf({ engine, version, context }, runs, whole.test(context) ? GROUPS : ["core"]);
  const others = rows.get(engine) ?? [];
  rows.set(engine, [...others, row]);
  // With threads or without, fused or not.
  for (const { digest, fused } of others) {
    assert.deepEqual({ digest, fused }, { digest: row.digest, fused: row.fused }, context);
  }
}
