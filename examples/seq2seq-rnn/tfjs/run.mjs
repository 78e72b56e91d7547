// npm run demo:seq2seq:tfjs: installs TensorFlow.js once, checks the types, and trains.
import { layBeside, run } from "../../../scripts/beside.mjs";

const folder = "examples/seq2seq-rnn/tfjs";
layBeside(folder);
run("npx", ["tsc", "-p", folder]);
run(process.execPath, ["--import", "tsx", `${folder}/demo.ts`, ...process.argv.slice(2)]);
