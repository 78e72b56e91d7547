// A process that writes, saves what it has after each piece, and is killed; another that goes on from what
// was saved: node --import tsx tests/soak/killed.ts FOLDER NUMBERS write|resume.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { CacheNumbers } from "wasm-attention/cache";
import { engine } from "../engines";
import { goOn, Layers, writerOf } from "./talks";

const [folder, numbers, what] = process.argv.slice(2) as [string, CacheNumbers, string];
const attention = await engine("portable");
const writer = await writerOf(attention);
const layers = new Layers(attention, writer, numbers);
const path = (name: string | number) => `${folder}/${name}`;

if (what === "write") {
  const sequence = layers.each((cache) => cache.begin());
  const ids = writer.model.vocabulary.encode("Call me Ishmael. Some years ago");
  layers.read([sequence], [ids.slice(0, -1)]);
  for (;;) {
    goOn(layers, { sequence, ids }, 1);
    const saved = layers.save(sequence);
    saved.forEach((bytes, layer) => {
      writeFileSync(path(`${ids.length}.${layer}`), bytes);
    });
    // At once, so that whoever reads it finds all of it.
    writeFileSync(path("new"), JSON.stringify(ids));
    renameSync(path("new"), path("ids"));
  }
} else {
  const ids: number[] = JSON.parse(readFileSync(path("ids"), "utf8"));
  const saved = layers.caches.map((_, layer) => readFileSync(path(`${ids.length}.${layer}`)));
  if (existsSync(path("damage"))) saved[0][100] ^= 1;
  const sequence = layers.load(saved.map((bytes) => new Uint8Array(bytes)));
  console.log(JSON.stringify(goOn(layers, { sequence, ids }, 60)));
}
