// dist/types: the declarations of the entries and of what they reach, as tsc wrote them but for the endings
// of their imports, which Node's way of resolving wants; `import` is passed on to `require`'s, so that a
// class is the same by both. And the reports of the public face in docs/api: `--report` writes them anew,
// `--check` fails if they would change.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";

const root = fileURLToPath(new URL("..", import.meta.url));
const from = join(root, "build/types");
const to = join(root, "dist/types");
const ENTRIES = {
  index: "src/index",
  training: "src/training/index",
  positions: "src/positions/index",
  cache: "src/cache/index",
  weights: "src/weights/index",
  blocks: "src/blocks/index",
  quantized: "src/quantized/index",
  compress: "src/compress/index",
  integers: "src/integers/index",
  variants: "src/variants/index",
  shards: "src/shards/index",
  view: "src/view/index",
};

// Types that a Node program without the page's types does not have.
const OPENING = `/// <reference lib="esnext.disposable" />
declare global {
  namespace WebAssembly {
    interface Module {}
    interface Memory {}
  }
}

`;

/** Of the page, whose types a Node program that only names those of maps need not have. */
const ELEMENT = `declare global {
  interface HTMLElement {}
}

`;
const OPENINGS = { [ENTRIES.index]: OPENING, "src/view/types": ELEMENT };

const written = new Set();
rmSync(to, { recursive: true, force: true });

function write(path) {
  if (written.has(path)) return;
  written.add(path);
  const file = join(from, `${path}.d.ts`);
  // Before TypeScript 5.7 typed arrays are of no buffer's kind.
  const plain = readFileSync(file, "utf8").replace(/\b(\w+Array)<ArrayBuffer>/g, "$1");
  const text = plain.replace(/(from |import\()"(\.{1,2}\/[^"]+)"/g, (_, before, target) => {
    const reached = relative(from, join(dirname(file), target)).replaceAll("\\", "/");
    write(reached);
    return `${before}"${target}.cjs"`;
  });
  mkdirSync(join(to, dirname(path)), { recursive: true });
  writeFileSync(join(to, `${path}.d.cts`), (OPENINGS[path] ?? "") + text);
}

for (const [name, path] of Object.entries(ENTRIES)) {
  write(path);
  writeFileSync(join(to, `${name}.d.cts`), `export * from "./${path}.cjs";\n`);
  writeFileSync(join(to, `${name}.d.ts`), `export * from "./${name}.cjs";\n`);
}

const check = process.argv.includes("--check");
if (check || process.argv.includes("--report")) {
  for (const [name, path] of Object.entries(ENTRIES)) report(name, path);
}

function report(name, path) {
  const message = (logLevel, addToApiReportFile = false) => ({ logLevel, addToApiReportFile });
  const extractorConfig = ExtractorConfig.prepare({
    packageJsonFullPath: `${root}package.json`,
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(from, `${path}.d.ts`),
      newlineKind: "lf",
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: "es2022",
            lib: ["es2023", "esnext.disposable", "dom"],
            module: "esnext",
            moduleResolution: "bundler",
            strict: true,
            types: [],
          },
          files: [join(from, `${path}.d.ts`)],
        },
      },
      apiReport: {
        enabled: true,
        reportFolder: `${root}docs/api`,
        reportTempFolder: `${root}build/api`,
        reportFileName: `${name === "index" ? "wasm-attention" : name}.api.md`,
      },
      docModel: { enabled: false },
      tsdocMetadata: { enabled: false },
      dtsRollup: { enabled: false },
      messages: {
        compilerMessageReporting: { default: message("error") },
        extractorMessageReporting: {
          default: message("error"),
          "ae-missing-release-tag": message("none"),
          "ae-undocumented": message("error"),
          // The reference lists a setter beside its getter, with words of its own.
          "ae-setter-with-docs": message("none"),
          // `disposeSymbol`, and whatever else the report then names.
          "ae-forgotten-export": message("error", true),
        },
        tsdocMessageReporting: { default: message("none") },
      },
    },
  });
  const { succeeded, apiReportChanged } = Extractor.invoke(extractorConfig, {
    localBuild: !check,
    showVerboseMessages: false,
  });
  if (apiReportChanged && check) {
    console.error("The public face has changed: see CONTRIBUTING.md, then npm run api.");
  }
  if (!succeeded) process.exitCode = 1;
}
