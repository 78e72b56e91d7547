// esbuild: `builds:NAME` is what a platform holds of the wasm module NAME. Where bytes may be compiled
// all its builds lie inside, as one text (scripts/variants.mjs); elsewhere the plain ones are files
// beside, which the platform compiles.
//
// Base64 would be shorter as it stands, but hides the bytes' repetitions from compression.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** `files`: names of the builds that are files beside, by default none. */
export function builds(files) {
  return {
    name: "builds",
    setup(build) {
      build.onResolve({ filter: /^builds:/ }, ({ path }) => ({ path, namespace: "builds" }));
      build.onResolve({ filter: /\.wasm\?module$/, namespace: "builds" }, ({ path }) => ({
        path,
        external: true,
      }));
      build.onLoad({ filter: /.*/, namespace: "builds" }, ({ path }) => {
        const name = path.slice("builds:".length);
        const contents = files ? beside(name, files) : inside(name);
        return { contents, loader: "js", resolveDir: root };
      });
    },
  };
}

function inside(name) {
  const text = readFileSync(`${root}build/${name}.wasm.txt`, "utf8");
  return `import { builds } from "./src/instance/text.ts";
export default /* @__PURE__ */ builds(\`\n${text}\`);`;
}

function beside(name, files) {
  const imports = files.map(
    (variant) => `import ${variant} from "./${name}.${variant}.wasm?module";`,
  );
  return `${imports.join("\n")}\nexport default { ${files.join(", ")} };`;
}
