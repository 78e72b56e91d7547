// One tarball and one project that has it, for all tests of this folder.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { consumer, pack, root } from "../../scripts/pack.mjs";

export const here = join(root, "tests/package");
export const { tarball, files } = pack();

export const project = (name: string) => consumer(join(root, "build/package", name), tarball);

export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
