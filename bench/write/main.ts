// npm run bench:write [-- --turns N]: tokens a second of greedy writing, one thread each, beside
// node-llama-cpp (llama.cpp, native) in Node and wllama (llama.cpp, WebAssembly) in Chromium, on the same
// models: llama2.c's stories260K (in MODELS_DIR) and the one that comes with the examples.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { readLlama2c } from "../../examples/llama/llama2c";
import { unpackModel } from "../../examples/write/weights";
import { ggufOfLlama, ggufOfWriter, type Type } from "./gguf";
import { type Measured, measure, type Way } from "./measure";
import { type Files, type Name, ours } from "./ours";
import type {} from "./page";
import { inPage } from "./peers/browser";
import { llamaCpp } from "./peers/llama-cpp";
import { tableOf } from "./peers/table";

// An engine's compilers take some turns, and share the first ones' time.
const { values } = parseArgs({ options: { turns: { type: "string", default: "21" } } });
const turns = Number(values.turns);
const root = new URL("../..", import.meta.url).pathname;
const folder = `${root}build/bench/write`;
mkdirSync(`${folder}/models`, { recursive: true });

const shipped = { "model.safetensors": readFileSync(`${root}examples/write/model.safetensors`) };
const models: [Name, Files, first: number][] = [];
const put = (name: string, bytes: Uint8Array) => writeFileSync(`${folder}/models/${name}`, bytes);
if (process.env.MODELS_DIR) {
  const [bin, tokens] = ["stories260K.bin", "tok512.bin"].map((name) =>
    readFileSync(`${process.env.MODELS_DIR}/stories260k/${name}`),
  );
  models.push(["stories260K", { "stories260K.bin": bin, "tok512.bin": tokens }, 1]);
} else console.log("stories260K is left out: set MODELS_DIR to a folder with stories260k");
const { vocabulary } = await unpackModel(shipped["model.safetensors"]);
// Three more pieces come before ours there.
models.push(["Moby Dick", shipped, vocabulary.encode("Call")[0] + 3]);

/** Of all threads of this process. */
const cpuTime = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const rows: Measured[] = [];
for (const [name, files, first] of models) {
  const ways: Way[] = [];
  for (const [file, bytes] of Object.entries(files)) put(file, bytes);
  for (const numbers of ["float32", "int8"] as const) {
    ways.push({ way: `ours, ${numbers} cache`, generate: await ours(name, files, numbers) });
  }
  for (const type of ["F32", "Q8_0"] satisfies Type[]) {
    const gguf =
      name === "Moby Dick"
        ? ggufOfWriter(await unpackModel(files["model.safetensors"]), type)
        : ggufOfLlama(readLlama2c(files["stories260K.bin"], files["tok512.bin"]), type);
    put(`${name}-${type}.gguf`, gguf);
    const generate = await llamaCpp(`${folder}/models/${name}-${type}.gguf`, first);
    ways.push({ way: `node-llama-cpp, ${type}`, generate });
  }
  const where = `Node ${process.versions.node}`;
  const measured = await measure(name, ways, { where, turns, clock: cpuTime });
  const [own, , peer] = measured;
  const same = own.ids.join() === peer.ids.join();
  if (name === "stories260K" && !same) throw new Error(`${own.ids} and ${peer.ids}`);
  rows.push(...measured);
}

await build({
  entryPoints: [`${root}bench/write/page.ts`],
  outfile: `${folder}/page.js`,
  bundle: true,
  format: "esm",
  target: "esnext",
  conditions: ["browser"],
});
writeFileSync(`${folder}/index.html`, "<!doctype html><script type=module src=page.js></script>");
for (const [name, files] of models) {
  const measured = await inPage(folder, async (page) => {
    await page.waitForFunction(() => "bench" in globalThis);
    return page.evaluate(({ name, files, turns }) => globalThis.bench(name, files, turns), {
      name,
      files: Object.keys(files),
      turns,
    });
  });
  rows.push(...measured);
}

const shown = (rate: number) => Math.round(rate).toLocaleString("en");
const lines = rows.map(({ model, where, way, rates }) => {
  const sorted = rates.toSorted((a, b) => a - b);
  const range = `${shown(sorted[0])} to ${shown(sorted.at(-1) as number)}`;
  return [model, where, way, shown(sorted[sorted.length >> 1]), range];
});
console.log(
  `${cpus()[0].model}, one thread each, greedy, 256 tokens, medians of ${turns} in turns`,
);
console.log(tableOf(["model", "where", "way", "tokens a second", "least to most"], lines));
console.log(
  "Moby Dick in llama.cpp is of its MPT architecture: the same sizes and weights, GELU in place of ReLU. Rates in Node are by the process's CPU time, in Chromium by the clock; wllama's are its own counts.",
);
process.exit(0);
