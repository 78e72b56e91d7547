// esbuild: `builds:NAME` is what a platform holds of the wasm module NAME, its two plain builds, and
// `builds:NAME?threads` the threaded ones. Where bytes may be compiled they lie inside, in hexadecimal;
// elsewhere they are files beside, which the platform compiles.
//
// Base64 is a third shorter as it stands, but hides the bytes' repetitions from compression: with both
// builds inside, 25 kB of brotli against 32. In lines, since minifiers take seconds for one long string.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const LINE = 16384;

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
        const [, name, threads] = /^builds:(\w+)(\?threads)?$/.exec(path);
        const contents = files ? beside(name, files, threads) : inside(name, threads);
        return { contents, loader: "js", resolveDir: root };
      });
    },
  };
}

function inside(name, threads) {
  const bytes = ["portable", "relaxed"].map((variant) => {
    const file = `build/${name}.${variant}${threads ? "-threads" : ""}.wasm`;
    const lines = readFileSync(root + file, "hex").match(new RegExp(`.{1,${LINE}}`, "g"));
    return `${variant}: () => fromHex(\`\n${lines.join("\n")}\`)`;
  });
  return `import { fromHex } from "./src/instance/hex.ts";
export default { ${bytes.join(", ")} };`;
}

function beside(name, files, threads) {
  if (threads) return "export default {};";
  const imports = files.map(
    (variant) => `import ${variant} from "./${name}.${variant}.wasm?module";`,
  );
  return `${imports.join("\n")}\nexport default { ${files.join(", ")} };`;
}
