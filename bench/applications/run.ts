// npm run bench:applications [-- see]: the figures of the applications in examples, all or those named.

import { see } from "./see";

const APPLICATIONS: Readonly<Record<string, () => Promise<void>>> = { see };

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !(name in APPLICATIONS));
if (unknown !== undefined) {
  console.error(`no application ${unknown}: ${Object.keys(APPLICATIONS).join(", ")}`);
  process.exit(2);
}
for (const [name, run] of Object.entries(APPLICATIONS))
  if (asked.length === 0 || asked.includes(name)) await run();
