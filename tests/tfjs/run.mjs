// npm run test:tfjs, npm run bench:tfjs: installs TensorFlow.js once and lays this package beside it as
// a user has it, checks the types, then runs the tests, or with --bench the benchmark.
import { layBeside, run } from "../../scripts/beside.mjs";

const folder = "tests/tfjs";
layBeside(folder);

if (process.argv.includes("--bench")) {
  run(process.execPath, ["--import", "tsx", `${folder}/bench.ts`]);
} else {
  run("npx", ["tsc", "-p", folder]);
  run(process.execPath, ["tests/run.mjs", folder]);
}
