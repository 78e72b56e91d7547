// A training step of a model with our layer beside the same model with the layer written in operations
// of TensorFlow.js, turn by turn in one process, on the wasm backend. Exits with 1 below the bar.

import * as tf from "@tensorflow/tfjs-core";
import { input, type layers, model, type SymbolicTensor } from "@tensorflow/tfjs-layers";
import { MultiHeadAttention } from "wasm-attention/tfjs";
import { paired } from "../../bench/paired";
import { numbers, use } from "./backends";
import { PlainMultiHeadAttention } from "./plain-layer";

const [n, size, numHeads] = [256, 256, 4];
const LEAST = 3;

const { variant } = await use("wasm");
const x = numbers([1, n, size], 1);
const y = numbers([1, n, size], 2);

function step(layer: layers.Layer): () => Promise<void> {
  const inputs = input({ shape: [n, size] });
  const trained = model({ inputs, outputs: layer.apply(inputs) as SymbolicTensor });
  trained.compile({ optimizer: tf.train.adam(1e-3), loss: "meanSquaredError" });
  return async () => void (await trained.trainOnBatch(x, y));
}

const args = { numHeads, keyDim: size / numHeads };
const ours = step(new MultiHeadAttention(args));
const { oursMs, peerMs, ratio, quartiles } = await paired(
  ours,
  step(new PlainMultiHeadAttention(args)),
);
const times = `${oursMs.toFixed(1)} ms, in TensorFlow.js's operations ${peerMs.toFixed(1)} ms`;
const range = quartiles.map((quartile) => quartile.toFixed(1)).join(" to ");
console.log(`a training step, n = ${n}, d_model = ${size}, ${variant}: ${times}`);
console.log(`${ratio.toFixed(1)}× (quartiles ${range}); at least ${LEAST}× is asked`);
