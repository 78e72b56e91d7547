// The explorer reads speech with the packages of examples/speech: its types.

import { test } from "node:test";
import { areInstalled } from "../../examples/speech/packages/files";
import { root } from "../../scripts/pack.mjs";
import { output } from "./example";

test("the explorer's types", {
  skip: areInstalled() ? false : "no weights: npm run demo:speech installs them",
}, () => {
  output(root, `${root}node_modules/.bin/tsc`, ["-p", "examples/explore"]);
});
