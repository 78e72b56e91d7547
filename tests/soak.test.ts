// Conversations for a while, see soak/talks.ts; npm run soak has them for long. And a process that is killed:
// what it exported goes on with the same pieces in another.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CacheNumbers } from "wasm-attention/cache";
import { engine } from "./engines";
import { goOn, Layers, talkOn, writerOf } from "./soak/talks";

for (const numbers of ["float32", "int16", "int8", "int4"] satisfies CacheNumbers[]) {
  test(`conversations in ${numbers} go on as new texts would, and nothing is left of them`, async () => {
    const attention = await engine("portable");
    const { used } = attention.memory;
    const writer = await writerOf(attention);
    const counts = talkOn(attention, writer, { tokens: 1200, conversations: 6, numbers });
    for (const [what, times] of Object.entries(counts)) assert.ok(times > 0, what);
    writer.dispose();
    assert.equal(attention.memory.used, used);
  });
}

for (const numbers of ["float32", "int8"] satisfies CacheNumbers[]) {
  test(`export, kill, import: the same pieces, ${numbers}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "killed-"));
    const script = ["--import", "tsx", "tests/soak/killed.ts", folder, numbers];
    try {
      const writing = spawn(process.execPath, [...script, "write"], { stdio: "inherit" });
      await written(writing, join(folder, "ids"), 30);
      const kept: number[] = JSON.parse(readFileSync(join(folder, "ids"), "utf8"));
      const resumed: number[] = JSON.parse(
        execFileSync(process.execPath, [...script, "resume"], { encoding: "utf8" }),
      );
      assert.equal(resumed.length, kept.length + 60);
      const attention = await engine("portable");
      const writer = await writerOf(attention);
      const layers = new Layers(attention, writer, numbers);
      const sequence = layers.each((cache) => cache.begin());
      const ids = writer.model.vocabulary.encode("Call me Ishmael. Some years ago");
      layers.read([sequence], [ids.slice(0, -1)]);
      assert.deepEqual(goOn(layers, { sequence, ids }, resumed.length - ids.length), resumed);
      writeFileSync(join(folder, "damage"), "");
      assert.throws(
        () => execFileSync(process.execPath, [...script, "resume"], { stdio: "pipe" }),
        /the checksum is another/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

/** Kills it once so many ids are written, in the middle of whatever it does. */
async function written(child: ChildProcess, path: string, count: number): Promise<void> {
  const ended = new Promise<string>((resolve) => {
    child.on("exit", (code, signal) => resolve(`${code} ${signal}`));
  });
  const enough = () => existsSync(path) && JSON.parse(readFileSync(path, "utf8")).length >= count;
  const watching = setInterval(() => {
    if (enough()) child.kill("SIGKILL");
  }, 5);
  const how = await ended;
  clearInterval(watching);
  assert.equal(how, "null SIGKILL");
}
