// npm run bench:applications [-- NAME …]: the applications beside their peers, each a file of this folder.

import { parseArgs } from "node:util";

const ALL = ["summarisation"];
const { positionals } = parseArgs({ allowPositionals: true });
for (const name of positionals.length > 0 ? positionals : ALL) {
  if (!ALL.includes(name)) {
    console.error(`expected ${ALL.join(", ")}, got "${name}"`);
    process.exit(2);
  }
  await import(`./${name}.ts`);
}
