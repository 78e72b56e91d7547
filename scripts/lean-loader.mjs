// esbuild: of @assemblyscript/loader, what a module without AssemblyScript's runtime needs. Its wrappers
// of exports, strings and arrays are left out, since the instance's own functions are called, and what
// it adds to imports, since the modules import none of it. As it
// stands it also assigns `Object.hasOwn`, which frozen intrinsics refuse, and makes a `TextDecoder`
// when it is imported, which jsdom does not have.
import { readFileSync } from "node:fs";

const cuts = [
  [
    'const utf16 = new TextDecoder("utf-16le", { fatal: true });',
    'const utf16 = { decode: (text) => new TextDecoder("utf-16le", { fatal: true }).decode(text) };',
  ],
  [/^function preInstantiate[\s\S]*?^}$/m, "function preInstantiate() {\n  return {};\n}"],
  [/^Object\.hasOwn = [\s\S]*?^};$/m, ""],
  [
    /(new WebAssembly\.Instance\(module, imports\);\s*const exports =) postInstantiate\(extended, instance\);/,
    "$1 instance.exports;",
  ],
];

export const leanLoader = {
  name: "lean-loader",
  setup({ onLoad }) {
    onLoad({ filter: /@assemblyscript[\\/]loader[\\/]index\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, "utf8");
      for (const [from, to] of cuts) {
        const cut = contents.replace(from, to);
        if (cut === contents) throw new Error(`${path} is another version: it has no ${from}`);
        contents = cut;
      }
      return { contents, loader: "js" };
    });
  },
};
