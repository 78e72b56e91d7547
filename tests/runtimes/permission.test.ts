// Under Node's permission model: one thread, or as many as asked for where workers are allowed.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { node, output } from "./engines";
import { scratchProject } from "./project";

const program = `
  import { createAttention, tensor } from "wasm-attention";
  const attention = await createAttention({ threads: 2 });
  const x = tensor(Float32Array.of(1, 2), [1, 1, 1, 2]);
  const { output } = attention.attend(x, x, x);
  console.log(output.data.join(), attention.threads, attention.threadsFallback ?? "");
  attention.dispose();`;

test("node --permission", async (context) => {
  const project = await scratchProject();
  context.after(() => project.remove());
  writeFileSync(join(project.folder, "permitted.mjs"), program);
  for (const [major, flag] of [
    [20, "--experimental-permission"],
    [24, "--permission"],
    [26, "--permission"],
  ] as const) {
    const run = (...flags: string[]) =>
      output(
        node(major),
        [flag, "--allow-fs-read=*", ...flags, "permitted.mjs"],
        project.folder,
      ).at(-1);
    assert.match(run() ?? "", /^1,2 1 .*(permission|restricted)/i, `Node ${major}`);
    assert.equal(run("--allow-worker")?.trim(), "1,2 2", `Node ${major}`);
  }
});
