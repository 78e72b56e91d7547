// The same for tfjs on its wasm backend.
import { createRequire } from "node:module";
import { dirname } from "node:path";

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"));

const start = performance.now();
const tf = await import("@tensorflow/tfjs-core");
const { setThreadsCount, setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
setWasmPaths(`${folder}/dist/`);
setThreadsCount(1);
await tf.setBackend("wasm");
await tf.ready();
const x = tf.tensor4d(new Float32Array(1024).fill(0.5), [1, 8, 16, 8]);
const scores = tf.mul(tf.matMul(x, x, false, true), tf.scalar(1 / Math.sqrt(8)));
tf.matMul(tf.softmax(scores), x).dataSync();
console.log(performance.now() - start);
process.exit(0);
