// build/frames.ts and build/layout.ts: where the fields of every struct of assembly/**/frame.ts lie, in
// words of 32 bits, read by the compiler's own parser; and a digest of it, which modules carry too.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { NodeKind, newOptions, newProgram, parse } from "assemblyscript";

const WORDS = ["i32", "u32", "usize", "f32"];
const structs = new Map();

for (const path of readdirSync("assembly", { recursive: true }).sort()) {
  if (!/(^|[\\/])(frame|tile)\.ts$/.test(path)) continue;
  const program = newProgram(newOptions());
  parse(program, readFileSync(`assembly/${path}`, "utf8"), path, true);
  const source = program.sources.find(({ normalizedPath }) => normalizedPath === path);
  for (const statement of source.statements) {
    if (statement.kind !== NodeKind.ClassDeclaration) continue;
    const { name, extendsType, members } = statement;
    const fields = members.map((member) => {
      const type = member.type?.name.identifier.text;
      if (!WORDS.includes(type)) throw new Error(`${path}: ${member.name.text} is no word`);
      return { name: member.name.text, type };
    });
    structs.set(name.text, { base: extendsType?.name.identifier.text, fields });
  }
}

function fieldsOf(name) {
  const { base, fields } = structs.get(name);
  return base ? [...fieldsOf(base), ...fields] : fields;
}

// Enums: the bundler puts their numbers in place.
let text = "// Made by scripts/frames.mjs: words of 32 bits.\n";
for (const name of structs.keys()) {
  const names = fieldsOf(name).map((field) => `  ${field.name},\n`);
  text += `\nexport enum ${name} {\n${names.join("")}  words,\n}\n`;
}

const most = Math.max(...[...structs.keys()].map((name) => fieldsOf(name).length));
text += `\n/** Of the largest. */\nexport const MOST_WORDS = ${most};\n`;

// FNV-1a of names, types and order, in 31 bits.
let digest = 0x811c9dc5;
for (const letter of JSON.stringify([...structs])) {
  digest = Math.imul(digest ^ letter.codePointAt(0), 0x01000193);
}
mkdirSync("build", { recursive: true });
writeFileSync("build/frames.ts", text);
writeFileSync("build/layout.ts", `export const LAYOUT = ${digest & 0x7fffffff};\n`);
