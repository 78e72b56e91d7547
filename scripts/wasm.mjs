// node scripts/wasm.mjs [--quick] [NAME…]: build/MODULE.TARGET.wasm for every module and every target of
// asconfig.json, or those of a module, of a target or of both ("core", "relaxed", "core.relaxed"). --quick is for editing: a
// quarter of the time, larger and somewhat slower modules, the same bits.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import "./frames.mjs";

/** Where each module's constants lie in the memory that all share. */
const BASES = { core: 1024, training: 4096, positions: 8192, cache: 12288 };
/** Where the steps of the tile loop that a module has stand in the table that all share. */
const STEPS = { cache: 1 };

const { options, targets } = JSON.parse(readFileSync("asconfig.json", "utf8"));
const [flags, names] = [[], []];
for (const word of process.argv.slice(2)) (word.startsWith("--") ? flags : names).push(word);
if (flags.includes("--quick")) Object.assign(options, { optimizeLevel: 2, converge: false });
mkdirSync("build", { recursive: true });
const config = "build/asconfig.json";
writeFileSync(config, JSON.stringify({ options, targets }));

const wanted = Object.keys(BASES)
  .flatMap((module) => Object.keys(targets).map((target) => ({ module, target })))
  .filter(
    ({ module, target }) =>
      !names.length || names.some((name) => [module, target, `${module}.${target}`].includes(name)),
  );

function compile({ module, target }) {
  const command = ["asc", `assembly/${module}.ts`, "--config", config, "--target", target];
  const table = ["--importTable", "--tableBase", `${STEPS[module] ?? 1}`];
  command.push(
    ...table,
    "--memoryBase",
    `${BASES[module]}`,
    "-o",
    `build/${module}.${target}.wasm`,
  );
  return new Promise((resolve, reject) => {
    const asc = spawn("npx", command, { stdio: "inherit" });
    asc.on("close", (code) => (code ? reject(new Error(command.join(" "))) : resolve()));
  });
}

async function next() {
  for (let one = wanted.shift(); one; one = wanted.shift()) await compile(one);
}

await Promise.all([next(), next()]);
