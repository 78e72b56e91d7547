// A recurrent decoder with attention, of the kind of Bahdanau et al. 2014: at each step the state asks
// the memory, and the answer goes into the cell beside the step's input.

import * as tf from "@tensorflow/tfjs-core";
import { type LayerVariable, layers } from "@tensorflow/tfjs-layers";

type Shape = (number | null)[];

/** inputs [B, T, X] and memory [B, S, E] → states [B, T, units]. */
export class AttentiveDecoder extends layers.Layer {
  static readonly className = "AttentiveDecoder";
  #attention: layers.Layer;
  #cell: layers.RNNCell;
  #units: number;

  constructor(attention: layers.Layer, units: number) {
    super();
    this.#attention = attention;
    this.#units = units;
    this.#cell = layers.gruCell({ units, recurrentInitializer: "glorotUniform" });
  }

  override build([inputs, memory]: Shape[]): void {
    const asked = [null, 1, this.#units];
    this.#attention.build([asked, memory]);
    this.#cell.build([null, (inputs.at(-1) as number) + this.#units]);
    super.build([inputs, memory]);
  }

  override get trainableWeights(): LayerVariable[] {
    return [...this.#attention.trainableWeights, ...this.#cell.trainableWeights];
  }

  override computeOutputShape([inputs]: Shape[]): Shape {
    return [...inputs.slice(0, 2), this.#units];
  }

  override call([inputs, memory]: tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      let state = tf.zeros([inputs.shape[0], this.#units]) as tf.Tensor;
      const states = tf.unstack(inputs, 1).map((x) => {
        const asked = tf.expandDims(state, 1);
        const context = tf.squeeze(this.#attention.apply([asked, memory]) as tf.Tensor, [1]);
        const given = [tf.concat([x, context], -1), state];
        [state] = this.#cell.call(given, {}) as tf.Tensor[];
        return state;
      });
      return tf.stack(states, 1);
    });
  }
}
