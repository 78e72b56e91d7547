// esbuild: an imported .wasm becomes a function that gives its bytes, written in hexadecimal. Base64
// is a third shorter as it stands, but hides the bytes' repetitions from compression: with both
// builds inside, 25 kB of brotli against 32. In lines, since minifiers take seconds for one long string.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const decoder = fileURLToPath(new URL("../src/engine/hex.ts", import.meta.url));
const LINE = 16384;

export const hexWasm = {
  name: "hex-wasm",
  setup(build) {
    build.onLoad({ filter: /\.wasm$/ }, ({ path }) => {
      const lines = readFileSync(path, "hex").match(new RegExp(`.{1,${LINE}}`, "g"));
      return {
        contents: `import { fromHex } from ${JSON.stringify(decoder)};
export default () => fromHex(\`${lines.join("\n")}\`);`,
        loader: "js",
      };
    });
  },
};
