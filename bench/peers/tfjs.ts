// TensorFlow.js on its wasm backend: matMul, softmax, matMul, as its users write attention.

import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { keyValueHeadsOf, LeftOut, type Peer, queriesOf } from "./peer";

const require = createRequire(import.meta.url);
setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`);
setThreadsCount(1);

export const tfjs: Peer = {
  name: "tfjs-backend-wasm",
  async prepare(c, query, key, value) {
    const { heads, n, d, causal } = c;
    if (keyValueHeadsOf(c) !== heads) throw new LeftOut("no grouped heads");
    await tf.setBackend("wasm");
    await tf.ready();
    const wrap = (data: Float32Array, length: number) => tf.tensor4d(data, [1, heads, length, d]);
    const [q, k, v] = [wrap(query, queriesOf(c)), wrap(key, n), wrap(value, n)];
    const future = causal
      ? tf.tensor2d(
          Float32Array.from({ length: n * n }, (_, at) => (at % n > Math.floor(at / n) ? -1e9 : 0)),
          [n, n],
        )
      : undefined;
    const scale = tf.scalar(1 / Math.sqrt(d));
    let output: Float32Array = new Float32Array(0);
    return {
      run() {
        output = tf.tidy(() => {
          const scores = tf.mul(tf.matMul(q, k, false, true), scale);
          const weights = tf.softmax(future ? tf.add(scores, future) : scores);
          return tf.matMul(weights, v).dataSync() as Float32Array;
        });
      },
      output: () => output,
      dispose: () => tf.dispose([q, k, v, scale, ...(future ? [future] : [])]),
    };
  },
  async additive({ heads, n, d }, inputs, weight) {
    await tf.setBackend("wasm");
    await tf.ready();
    const [q, k, v] = inputs.map((data) => tf.tensor3d(data, [heads, n, d]));
    const column = tf.tensor2d(weight, [d, 1]);
    let output: Float32Array = new Float32Array(0);
    return {
      run() {
        output = tf.tidy(() => {
          const sums = tf.add(tf.expandDims(q, 2), tf.expandDims(k, 1));
          const scores = tf.matMul(tf.reshape(tf.tanh(sums), [heads * n * n, d]), column);
          const weights = tf.softmax(tf.reshape(scores, [heads, n, n]));
          return tf.matMul(weights, v).dataSync() as Float32Array;
        });
      },
      output: () => output,
      dispose: () => tf.dispose([q, k, v, column]),
    };
  },
  async linear({ m, k, columns }, data, matrix) {
    await tf.setBackend("wasm");
    await tf.ready();
    const [x, weight] = [tf.tensor2d(data, [m, k]), tf.tensor2d(matrix, [k, columns])];
    let output: Float32Array = new Float32Array(0);
    return {
      run() {
        output = tf.tidy(() => tf.matMul(x, weight).dataSync() as Float32Array);
      },
      output: () => output,
      dispose: () => tf.dispose([x, weight]),
    };
  },
};
