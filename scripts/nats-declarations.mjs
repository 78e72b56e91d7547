// dist/shards-nats: the declarations of the NATS entry, as scripts/tfjs-declarations.mjs makes those of
// TensorFlow.js's, which are not checked here either: the clients of NATS are not installed.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const [from, to] = ["build/types-nats/src/shards/nats", "dist/shards-nats"];
mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  const text = readFileSync(`${from}/${name}`, "utf8");
  if (/from "\.\.\//.test(text)) throw new Error(`${name} declares something of another entry`);
  const declared = text.replace(/(from|import\() ?("\.\/[^"]+)"/g, '$1 $2.cjs"');
  writeFileSync(`${to}/${name.replace(".d.ts", ".d.cts")}`, declared);
}
writeFileSync(`${to}/index.d.ts`, 'export * from "./index.cjs";\n');
