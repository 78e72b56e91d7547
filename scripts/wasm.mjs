// node scripts/wasm.mjs [--quick] [NAME…]: for every module, or those that are named, build/MODULE.wasm.txt
// and the builds that are made of it (scripts/variants.mjs), build/MODULE.VARIANT.wasm; a variant's name
// stands for all modules. --quick is for editing: a quarter of the time, larger and somewhat slower
// modules, the same bits.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import "./frames.mjs";
import { bytesOf, symbolsOf, textOf } from "./variants.mjs";

/** Where each module's constants lie in the memory that all share. */
const BASES = {
  core: 1024,
  training: 4096,
  positions: 8192,
  cache: 12288,
  blocks: 16384,
  quantized: 20480,
  integers: 24576,
  variants: 28672,
};
/** Whose relaxed build multiplies and adds apart too, for the same bits as the portable one. */
const UNFUSED = ["cache", "integers"];
/** Where the steps of the tile loop that a module has stand in the table that all share. */
const STEPS = { cache: 1 };

const VARIANTS = {
  portable: {},
  relaxed: { relaxed: true },
  "portable-threads": { threads: true },
  "relaxed-threads": { relaxed: true, threads: true },
};

const { options } = JSON.parse(readFileSync("asconfig.json", "utf8"));
const [flags, names] = [[], []];
for (const word of process.argv.slice(2)) (word.startsWith("--") ? flags : names).push(word);
if (flags.includes("--quick")) Object.assign(options, { optimizeLevel: 2, converge: false });
mkdirSync("build", { recursive: true });
const config = "build/asconfig.json";
writeFileSync(config, JSON.stringify({ options }));

const wanted = Object.keys(BASES).filter(
  (module) =>
    !names.length || names.some((name) => name in VARIANTS || name.split(".")[0] === module),
);

async function compile(module) {
  const [wasm, wat] = ["wasm", "wat"].map((extension) => `build/${module}.compiled.${extension}`);
  const command = ["asc", `assembly/${module}.ts`, "--config", config, "-o", wasm, "-t", wat];
  if (UNFUSED.includes(module)) command.push("--use", "UNFUSED=1");
  command.push("--memoryBase", `${BASES[module]}`);
  command.push("--importTable", "--tableBase", `${STEPS[module] ?? 1}`);
  await new Promise((resolve, reject) => {
    const asc = spawn("npx", command, { stdio: "inherit" });
    asc.on("close", (code) => (code ? reject(new Error(command.join(" "))) : resolve()));
  });
  const text = readFileSync(wat, "utf8");
  const counts = ["relaxed_madd", "relaxed_dot"].map((name) => text.split(name).length - 1);
  const symbols = symbolsOf(readFileSync(wasm), ...counts);
  for (const [variant, made] of Object.entries(VARIANTS))
    writeFileSync(`build/${module}.${variant}.wasm`, bytesOf(symbols, made));
  writeFileSync(`build/${module}.wasm.txt`, textOf(symbols));
  for (const file of [wasm, wat]) rmSync(file);
}

async function next() {
  for (let one = wanted.shift(); one; one = wanted.shift()) await compile(one);
}

await Promise.all([next(), next()]);
