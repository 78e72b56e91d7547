// CommonJS by `require`: the ES module where Node loads one so, else a build of its own. Either way
// there is one copy of the package, however it is asked for: its errors and tensors are the same.

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

const names = ["wasm-attention", "wasm-attention/training", "wasm-attention/positions"];

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
  "both.cjs": `
    const load = async (by) => Object.assign({}, ...(await Promise.all(${JSON.stringify(names)}.map(by))));
    const gets = [load((name) => require(name)), load((name) => import(name))];
    Promise.all(gets).then(async ([required, imported]) => {
      for (const [name, value] of Object.entries(imported)) {
        if (name !== "default" && name !== "module.exports" && value !== required[name]) {
          console.log(name + " differs");
        }
      }
      const extensions = [required.training, imported.positions];
      const attention = await required.createAttention({ extensions });
      const allocated = attention.allocate([2, 2]);
      allocated.data.set([1, 0, 0, 1]);
      const prepared = imported.prepareLinear(attention, allocated, { order: "out,in" });
      const weights = { wq: allocated, wk: allocated, wv: allocated, dense: allocated };
      const layer = imported.MultiHeadAttention.fromMatrices(attention, weights, { heads: 1 });
      const x = imported.rotate(attention, { data: new Float32Array(4), dims: [1, 2, 2] });
      const { output, record } = layer.forward(x, { record: true });
      required.multiHeadBackward(layer, output, record);
      imported.linear(attention, x, prepared);
      attention.dispose();
      try {
        attention.attend(allocated, allocated, allocated);
      } catch (error) {
        console.log(error instanceof imported.DisposedError, error instanceof required.DisposedError);
      }
    });`,
};
const computed = "2 1,1,3,4 0,1,2,3\n";

let folder: string;
before(() => {
  folder = project("require");
  for (const [name, source] of Object.entries(sources)) writeFileSync(join(folder, name), source);
});

function run(node: string, file: string, ...flags: string[]): string {
  const { status, stdout, stderr } = spawnSync(node, [...flags, file], {
    cwd: folder,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

for (const [version, node] of Object.entries(nodes)) {
  test(`import, Node ${version}`, () => {
    assert.equal(run(node, "import.mjs"), computed);
    assert.equal(run(node, "import.cjs"), computed);
  });

  test(`require, Node ${version}`, () => assert.equal(run(node, "require.cjs"), computed));

  test(`require beside import, Node ${version}`, () =>
    assert.equal(run(node, "both.cjs"), "true true\n"));
}

test("require, where Node is told to load no ES module by it", () => {
  const node = nodes[process.versions.node];
  const flag = "--no-experimental-require-module";
  for (const file of ["require.cjs", "import.mjs"]) assert.equal(run(node, file, flag), computed);
  assert.equal(run(node, "both.cjs", flag), "true true\n");
});
