// The declarations of every module made into one file, dist/index.d.cts, which index.d.ts passes on, so
// that a class is the same by `import` and by `require`; and the report of the public face in docs/api:
// `--report` writes the report anew, `--check` fails if it would change.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";

const root = fileURLToPath(new URL("..", import.meta.url));
const check = process.argv.includes("--check");
const report = check || process.argv.includes("--report");
const rolled = `${root}build/types/index.d.ts`;
const message = (logLevel, addToApiReportFile = false) => ({ logLevel, addToApiReportFile });

const extractorConfig = ExtractorConfig.prepare({
  packageJsonFullPath: `${root}package.json`,
  configObjectFullPath: undefined,
  configObject: {
    projectFolder: root,
    mainEntryPointFilePath: `${root}build/types/src/index.d.ts`,
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
        files: [`${root}build/types/src/index.d.ts`],
      },
    },
    apiReport: {
      enabled: report,
      reportFolder: `${root}docs/api`,
      reportTempFolder: `${root}build/api`,
      reportFileName: "wasm-attention.api.md",
    },
    docModel: { enabled: false },
    tsdocMetadata: { enabled: false },
    dtsRollup: { enabled: true, untrimmedFilePath: rolled },
    messages: {
      compilerMessageReporting: { default: message("error") },
      extractorMessageReporting: {
        default: message("error"),
        "ae-missing-release-tag": message("none"),
        "ae-undocumented": message(report ? "error" : "none"),
        // `disposeSymbol`, and whatever else the report then names.
        "ae-forgotten-export": message(report ? "error" : "none", report),
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
if (!succeeded) process.exit(1);
// Types that a Node program without the page's types does not have.
const opening = `/// <reference lib="esnext.disposable" />
declare global {
  namespace WebAssembly {
    interface Module {}
  }
}

`;
writeFileSync(`${root}dist/index.d.cts`, opening + readFileSync(rolled, "utf8"));
writeFileSync(`${root}dist/index.d.ts`, 'export * from "./index.cjs";\n');
