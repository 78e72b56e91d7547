// npm run bench [-- --quick] [--json FILE] [--markdown FILE] [--engine PATH] [--charts]: installs the
// peers once, then measures, under another Node if one is named; --charts draws bench/charts of it.
// --ops attend,integers,decode,cache,append,small,linear,quantized,layer,block,bart,backward,variants,threads,memory,start,size
// --peers NAME,NAME and --threads 1 or 2 choose.
// --web runs the core of it in Chromium; --calls times our own calls only; --accuracy compares
// errors instead of times; --check checks the benchmark's types.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: process.execPath },
    json: { type: "string" },
    ops: { type: "string" },
    peers: { type: "string" },
    threads: { type: "string" },
    markdown: { type: "string" },
    charts: { type: "boolean", default: false },
    web: { type: "boolean", default: false },
    calls: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    accuracy: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
  },
});

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

function install(folder) {
  run("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]);
}

const written = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const installed = written("bench/peers/node_modules/.package-lock.json");
if (installed < written("bench/peers/package-lock.json")) {
  install("bench/peers");
}
if (values.check) {
  run("npx", ["tsc", "-p", "bench/peers"]);
} else if (values.accuracy) {
  run(values.engine, ["--import", "tsx", "bench/accuracy.ts"]);
} else if (values.calls) {
  run(values.engine, ["--import", "tsx", "bench/calls.ts"]);
} else {
  if (values.web) install("bench/web");
  const script = values.web ? "bench/web/run.mjs" : "bench/main.ts";
  const named = { ...(values.charts && { json: "bench/charts/run.json" }), ...values };
  const options = ["json", "markdown", "ops", "peers", "threads"].flatMap((name) =>
    named[name] ? [`--${name}`, named[name]] : [],
  );
  const quick = values.quick ? ["--quick"] : [];
  run(values.engine, ["--import", "tsx", script, ...quick, ...options]);
  if (values.charts) run("npm", ["run", "bench:charts", "--", named.json]);
}
