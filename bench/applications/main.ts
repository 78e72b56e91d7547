// Runs the applications that run.mjs has made ready, each a file of this folder.

import { cpus } from "node:os";
import type { Run } from "./application";

const [turns, ...names] = process.argv.slice(2);
console.log(`Node ${process.versions.node}, ${cpus()[0].model}`);
const short: string[] = [];
for (const name of names) {
  const { run }: { run: Run } = await import(`./${name}.ts`);
  if (!(await run({ turns: Number(turns) }))) short.push(name);
}
if (short.length > 0) console.error(`short of the bar: ${short.join(", ")}`);
process.exit(short.length > 0 ? 1 : 0);
