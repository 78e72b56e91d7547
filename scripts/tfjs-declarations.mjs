// dist/tfjs: the declarations of the TensorFlow.js entry as they are, but for the endings of their
// imports, which Node's way of resolving wants; index.d.ts passes them on. They are not rolled into one
// file, since that needs TensorFlow.js, which this package does not install.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const [from, to] = ["build/types-tfjs/tfjs", "dist/tfjs"];
mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  const text = readFileSync(`${from}/${name}`, "utf8");
  if (/from "\.\.\//.test(text)) throw new Error(`${name} declares something of the main entry`);
  const declared = text.replace(/(from|import\() ?("\.\/[^"]+)"/g, '$1 $2.cjs"');
  writeFileSync(`${to}/${name.replace(".d.ts", ".d.cts")}`, declared);
}
writeFileSync(`${to}/index.d.ts`, 'export * from "./index.cjs";\n');
