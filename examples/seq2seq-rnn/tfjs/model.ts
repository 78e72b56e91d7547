// The same network written in TensorFlow.js's operations, which make its gradients; every product is
// wasm-attention's. It learns here, and writes by the plain network, whose parameters it moves.

import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { createAttention } from "wasm-attention";
import { linear, registerAttention } from "wasm-attention/tfjs";
import { training } from "wasm-attention/training";
import { BEGIN, END, PADDING } from "../../translation/pieces";
import type { Model } from "../../translation/train";
import { type RecurrentTranslator, steps } from "../recurrent";

/** Before any model learns: kernels are called synchronously. */
export async function prepare(): Promise<void> {
  registerAttention(await createAttention({ reproducible: true, extensions: [training] }));
  const { resolve } = createRequire(import.meta.url);
  setWasmPaths(`${dirname(resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`);
  setThreadsCount(1);
  await tf.setBackend("wasm");
}

type Pair = readonly [weight: tf.Tensor2D, bias: tf.Tensor1D];

interface Gru {
  readonly input: Pair;
  readonly hidden: Pair;
}

export class TfjsTranslator implements Model {
  readonly #plain: RecurrentTranslator;
  readonly #variables: readonly tf.Variable[];

  constructor(plain: RecurrentTranslator) {
    this.#plain = plain;
    this.#variables = plain.parameters.map(({ data, dims }) =>
      tf.variable(tf.tensor(data, [...dims])),
    );
  }

  get parameters() {
    return this.#plain.parameters;
  }

  learn(sources: readonly number[][], targets: readonly number[][]): number {
    const variables = [...this.#variables];
    const { value, grads } = tf.variableGrads(() => this.#loss(sources, targets), variables);
    for (const [i, variable] of variables.entries()) {
      const gradient = grads[variable.name].dataSync();
      const sum = this.parameters[i].gradient;
      for (let at = 0; at < sum.length; at++) sum[at] += gradient[at];
    }
    const [loss] = value.dataSync();
    tf.dispose([value, grads]);
    return loss;
  }

  update(): void {
    this.#plain.update();
    this.#variables.forEach((variable, i) => {
      const { data, dims } = this.parameters[i];
      tf.tidy(() => variable.assign(tf.tensor(data, [...dims])));
    });
  }

  translate(sources: readonly number[][], most: number): number[][] {
    return this.#plain.translate(sources, most);
  }

  align(source: readonly number[], target: readonly number[]) {
    return this.#plain.align(source, target);
  }

  dispose(): void {
    this.#plain.dispose();
    tf.dispose([...this.#variables]);
  }

  #loss(sources: readonly number[][], targets: readonly number[][]): tf.Scalar {
    // In the order of the plain network's parameters.
    const rest = [...this.#variables] as unknown as tf.Tensor[];
    const take = () => rest.shift() as tf.Tensor2D;
    const pair = (): Pair => [take(), rest.shift() as tf.Tensor1D];
    const gru = (): Gru => ({ input: pair(), hidden: pair() });
    const [sourceTable, ahead, behind, targetTable] = [take(), gru(), gru(), take()];
    const [begin, word, context, hidden] = [pair(), pair(), pair(), pair()];
    const [query, key, v, output] = [pair(), pair(), rest.shift() as tf.Tensor1D, pair()];

    const batch = sources.length;
    const [read, last] = encode(sources, embed(sourceTable), [ahead, behind]);
    const keys = linear(read, ...key); // [B, S, hidden]
    const away = tf.tensor2d(padding(sources), [batch, read.shape[1] as number]);
    const column = tf.reshape(v, [-1, 1]);
    const attend = (state: tf.Tensor): tf.Tensor => {
      const inner = tf.tanh(tf.add(tf.expandDims(linear(state, ...query), 1), keys));
      const scores = tf.add(tf.squeeze(linear(inner, column), [2]), away);
      return tf.sum(tf.mul(tf.expandDims(tf.softmax(scores), 2), read), 1);
    };

    const length = Math.max(...targets.map(({ length }) => length)) + 1;
    const ids = steps(length, batch, (t, b) => (t ? (targets[b][t - 1] ?? PADDING) : BEGIN));
    const given = linear(embed(targetTable)(ids, length), ...word);
    let state = tf.tanh(linear(last, ...begin));
    const rows: tf.Tensor[] = [];
    for (const each of tf.unstack(given)) {
      const seen = attend(state);
      state = step(tf.add(each, linear(seen, ...context)), state, hidden);
      rows.push(tf.concat([state, seen], 1));
    }
    const logits = linear(tf.concat(rows), ...output);
    const wanted = steps(length, batch, (t, b) =>
      t === targets[b].length ? END : (targets[b][t] ?? -1),
    );
    // A class of −1 is no class: its row of one-hot is 0.
    const chosen = tf.oneHot(tf.tensor1d(wanted, "int32"), logits.shape[1] as number);
    const counted = wanted.filter((id) => id >= 0).length;
    return tf.div(tf.neg(tf.sum(tf.mul(chosen, tf.logSoftmax(logits)))), counted);
  }
}

/** Rows of a table by their number, times √size: a product with ones at their places, [T, B, size]. */
const embed = (table: tf.Tensor2D) => (ids: Int32Array, length: number) => {
  const [count, size] = table.shape;
  const chosen = tf.cast(tf.oneHot(tf.tensor1d(ids, "int32"), count), "float32");
  return tf.reshape(tf.mul(linear(chosen, table), Math.sqrt(size)), [length, -1, size]);
};

/** The formulas of ../gru.ts. */
function step(given: tf.Tensor, state: tf.Tensor, hidden: Pair): tf.Tensor {
  const [xr, xz, xn] = tf.split(given, 3, 1);
  const [hr, hz, hn] = tf.split(linear(state, ...hidden), 3, 1);
  const [r, z] = [tf.sigmoid(tf.add(xr, hr)), tf.sigmoid(tf.add(xz, hz))];
  const n = tf.tanh(tf.add(xn, tf.mul(r, hn)));
  return tf.add(n, tf.mul(z, tf.sub(state, n)));
}

/** What both directions make of each word, [B, S, 2 · state], and the last state of the second, [B, state]. */
function encode(
  sources: readonly number[][],
  embedded: (ids: Int32Array, length: number) => tf.Tensor,
  directions: readonly Gru[],
): readonly [tf.Tensor, tf.Tensor] {
  const [batch, longest] = [sources.length, Math.max(...sources.map(({ length }) => length))];
  const ids = steps(longest, batch, (t, b) => sources[b][t] ?? PADDING);
  const words = embedded(ids, longest);
  const [ahead, behind] = directions.map(({ input, hidden }, index) => {
    const given = tf.unstack(linear(words, ...input));
    const states: tf.Tensor[] = [];
    let state: tf.Tensor = tf.zeros([batch, hidden[0].shape[0]]);
    for (let i = 0; i < longest; i++) {
      const t = index ? longest - 1 - i : i;
      const live = tf.tensor2d(
        sources.map(({ length }) => [t < length ? 1 : 0]),
        [batch, 1],
      );
      state = tf.add(state, tf.mul(live, tf.sub(step(given[t], state, hidden), state)));
      states[t] = state;
    }
    return states;
  });
  const rows = tf.concat([tf.stack(ahead, 1), tf.stack(behind, 1)], 2);
  return [rows, behind[0]];
}

/** 0 where a word is, and −∞ or nearly so past a source's end, [B · S]. */
function padding(sources: readonly number[][]): Float32Array {
  const longest = Math.max(...sources.map(({ length }) => length));
  return Float32Array.from({ length: sources.length * longest }, (_, at) =>
    at % longest < sources[Math.floor(at / longest)].length ? 0 : -1e9,
  );
}
