// The same layer written in operations of TensorFlow.js, as its users write it: what ours is measured
// against and checked by.

import * as tf from "@tensorflow/tfjs-core";
import { initializers, type LayerVariable, layers } from "@tensorflow/tfjs-layers";

type Shape = (number | null)[];

interface PlainArgs {
  numHeads: number;
  keyDim: number;
  causal?: boolean;
  name?: string;
}

/** [query], [query, value] or [query, value, key] → [B, L, E]; no dropout, no masks. */
export class PlainMultiHeadAttention extends layers.Layer {
  static readonly className = "PlainMultiHeadAttention";
  #args: PlainArgs;
  #kernels: LayerVariable[] = [];
  #biases: LayerVariable[] = [];

  constructor(args: PlainArgs) {
    super(args.name ? { name: args.name } : {});
    this.#args = args;
  }

  override build(shape: Shape | Shape[]): void {
    const shapes = (Array.isArray(shape[0]) ? shape : [shape]) as Shape[];
    const { numHeads, keyDim } = this.#args;
    const [query, value = query, key = value] = shapes.map((dims) => dims.at(-1) as number);
    const add = (name: string, kernel: number[], bias: number[]) => {
      const weight = (kind: string, dims: number[]) =>
        this.addWeight(
          `${name}/${kind}`,
          dims,
          "float32",
          kind === "kernel" ? initializers.glorotUniform({}) : initializers.zeros(),
        );
      this.#kernels.push(weight("kernel", kernel));
      this.#biases.push(weight("bias", bias));
    };
    add("query", [query, numHeads, keyDim], [numHeads, keyDim]);
    add("key", [key, numHeads, keyDim], [numHeads, keyDim]);
    add("value", [value, numHeads, keyDim], [numHeads, keyDim]);
    add("attention_output", [numHeads, keyDim, query], [query]);
    super.build(shape);
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    return (Array.isArray(shape[0]) ? shape[0] : shape) as Shape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [query, value = query, key = value] = Array.isArray(inputs) ? inputs : [inputs];
    const { numHeads, keyDim, causal } = this.#args;
    const size = numHeads * keyDim;
    return tf.tidy(() => {
      const project = (index: number, x: tf.Tensor, to: number) => {
        const features = x.shape.at(-1) as number;
        const kernel = tf.reshape(this.#kernels[index].read(), [features, to]);
        const product = tf.matMul(tf.reshape(x, [-1, features]), kernel as tf.Tensor2D);
        return tf.add(product, tf.reshape(this.#biases[index].read(), [to]));
      };
      const heads = (index: number, x: tf.Tensor) => {
        const [batch, length] = x.shape as [number, number];
        const y = tf.reshape(project(index, x, size), [batch, length, numHeads, keyDim]);
        return tf.transpose(y, [0, 2, 1, 3]);
      };
      const [q, k, v] = [heads(0, query), heads(1, key), heads(2, value)];
      let scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(keyDim));
      if (causal) {
        const [rows, columns] = scores.shape.slice(-2);
        const seen = tf.linalg.bandPart(tf.ones([rows, columns]), -1, 0);
        scores = tf.add(scores, tf.mul(tf.sub(seen, 1), 1e9));
      }
      const mixed = tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]);
      const [batch, length] = query.shape as [number, number];
      const rows = tf.reshape(mixed, [batch * length, size]);
      const outputs = this.#kernels[3].shape.at(-1) as number;
      return tf.reshape(project(3, rows, outputs), [batch, length, outputs]);
    });
  }
}
