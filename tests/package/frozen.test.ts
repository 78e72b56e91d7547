// Importing the package changes nothing global: under SES's lockdown, under Node's own freezing, and
// without what an older engine or jsdom lacks.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { here, project } from "./packed";

const folder = project("frozen");
const ses = JSON.stringify(pathToFileURL(join(here, "node_modules/ses/index.js")).href);

/** Runs `before`, then attends on one thread and on two by each file of the package. */
function attends(before: string, ...flags: string[]): void {
  for (const [platform, ending] of [
    ["node", "js"],
    ["node", "cjs"],
    ["browser", "js"],
    ["browser", "cjs"],
  ]) {
    const file = `${platform}/*.${ending}`;
    const source = `${before}
      const entry = async (name) => {
        const imported = await import(\`./node_modules/wasm-attention/dist/${platform}/\${name}.${ending}\`);
        return imported.default ?? imported;
      };
      const { createAttention, tensor } = await entry("index");
      const { positions, rotate } = await entry("positions");
      const { training } = await entry("training");
      for (const threads of [1, 2]) {
        const attention = await createAttention({ threads, extensions: [training, positions] });
        const x = tensor(Float32Array.of(1, 2), [1, 1, 1, 2]);
        console.log(attention.attend(x, x, x).output.data.join());
        console.log(rotate(attention, x, { positions: 0 }).data.join());
        try {
          attention.attend(x, x);
        } catch (error) {
          console.log(error.name);
        }
        attention.dispose();
      }`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [...flags, "--input-type=module", "--eval", source],
      { cwd: folder, encoding: "utf8" },
    );
    assert.equal(status, 0, `${file}: ${stderr}`);
    assert.equal(stdout, "1,2\n1,2\nArgumentError\n".repeat(2), `${file}: ${stderr}`);
  }
}

test("SES", () => attends(`await import(${ses}); lockdown();`));

test("node --frozen-intrinsics", () => attends("", "--frozen-intrinsics"));

test("no Object.hasOwn, no TextDecoder, and none after", () => {
  attends("delete Object.hasOwn; delete globalThis.TextDecoder;");
  attends(`
    delete Object.hasOwn;
    const names = () => Reflect.ownKeys(globalThis).concat(Reflect.ownKeys(Object)).map(String).join();
    const before = names();
    process.on("exit", () => {
      if (names() !== before) process.exitCode = 1;
    });`);
});
