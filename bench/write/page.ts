// In the page: ours and wllama, told to whoever opened it.

import { type Measured, measure, type Way } from "./measure";
import { type Files, type Name, ours } from "./ours";
import { wllama } from "./peers/wllama";

declare global {
  /** Given the names of the model's files. */
  var bench: (model: Name, files: readonly string[], turns: number) => Promise<Measured[]>;
}

const fetched = async (name: string) => (await fetch(`/models/${name}`)).arrayBuffer();

globalThis.bench = async (model, names, turns) => {
  const entries = names.map(async (name) => [name, new Uint8Array(await fetched(name))] as const);
  const files: Files = Object.fromEntries(await Promise.all(entries));
  const ways: Way[] = [];
  for (const numbers of ["float32", "int8"] as const) {
    ways.push({ way: `ours, ${numbers} cache`, generate: await ours(model, files, numbers) });
  }
  for (const type of ["F32", "Q8_0"] as const) {
    const gguf = new Blob([await fetched(`${model}-${type}.gguf`)]);
    ways.push(await wllama(`wllama, ${type}`, gguf, "O"));
  }
  return measure(model, ways, { where: "Chromium", turns, clock: () => performance.now() });
};
