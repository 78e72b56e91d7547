// CommonJS: `require` where Node loads ES modules by it. Where it does not, Node's own message says
// what to do; a `require` condition that said it better would also refuse every bundler, runtime and
// test runner that could have loaded the module.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { here, project } from "./packed";

const nodes = {
  "20.18": join(here, "node_modules/node-20.18/bin/node"),
  "22.12": join(here, "node_modules/node-22.12/bin/node"),
  [process.versions.node]: process.execPath,
};

const attend = `
  const x = tensor(new Float32Array(12).map((_, i) => i), [1, 1, 3, 4]);
  const { output } = attention.attend(x, x, x, { causal: true });
  console.log(attention.threads, output.dims.join(), output.data.slice(0, 4).join());
  attention.dispose();`;

const sources = {
  "require.cjs": `
    const { createAttention, tensor } = require("wasm-attention");
    createAttention({ threads: 2 }).then((attention) => {${attend}});`,
  "import.cjs": `
    import("wasm-attention").then(async ({ createAttention, tensor }) => {
      const attention = await createAttention({ threads: 2 });${attend}});`,
  "import.mjs": `
    import { createAttention, tensor } from "wasm-attention";
    const attention = await createAttention({ threads: 2 });${attend}`,
  "refused.cjs": `
    try {
      require("wasm-attention");
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }));
    }`,
};
const computed = "2 1,1,3,4 0,1,2,3\n";

let folder: string;
before(() => {
  folder = project("require");
  for (const [name, source] of Object.entries(sources)) writeFileSync(join(folder, name), source);
});

function run(node: string, file: string): string {
  const { status, stdout, stderr } = spawnSync(node, [file], { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

for (const [version, node] of Object.entries(nodes)) {
  test(`import, Node ${version}`, () => {
    assert.equal(run(node, "import.mjs"), computed);
    assert.equal(run(node, "import.cjs"), computed);
  });

  if (version === "20.18") {
    test(`require, Node ${version}: what to do instead`, () => {
      const { code, message } = JSON.parse(run(node, "refused.cjs"));
      assert.equal(code, "ERR_REQUIRE_ESM");
      assert.match(message, /wasm-attention\/dist\/node\.js from .*refused\.cjs not supported/);
      assert.match(message, /a dynamic import\(\) which is available in all CommonJS modules/);
    });
  } else {
    test(`require, Node ${version}`, () => assert.equal(run(node, "require.cjs"), computed));
  }
}
