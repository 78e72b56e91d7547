// Moonshine's encoder (Jeffries et al. 2024): three convolutions make a row of 288 numbers of every 24 ms of
// sound, six transformer layers with rotary embeddings read them.

import { type AllocatedTensor, type Attention, type Tensor, tensor } from "wasm-attention";
import {
  activate,
  type EncoderForwardOptions,
  layerNorm,
  TransformerEncoderLayer,
} from "wasm-attention/blocks";
import { Convolution } from "./convolution";
import { EPSILON, HEADS, LAYERS, projection, ROTARY, SIZE, selfAttention } from "./shape";
import type { Weights } from "./weights";

export class Encoder {
  readonly #attention: Attention<"blocks" | "positions">;
  readonly #convolutions: readonly Convolution[];
  readonly #layers: readonly TransformerEncoderLayer[];
  readonly #norm: Float32Array;

  constructor(attention: Attention<"blocks" | "positions">, weights: Weights) {
    const kernel = (name: string, stride: number) => {
      const { dims } = weights.get(`${name}.weight`);
      const weight = weights.get(`${name}.weight`).floats();
      return { weight, channels: dims[1], taps: dims[2], stride };
    };
    const bias = (name: string) => weights.get(`${name}.bias`).floats();
    const second = { ...kernel("conv2", 3), bias: bias("conv2") };
    const kernels = [
      kernel("conv1", 64),
      normed(second, weights.get("groupnorm.Mul").floats(), weights.get("groupnorm.Add").floats()),
      { ...kernel("conv3", 2), bias: bias("conv3") },
    ];
    this.#attention = attention;
    this.#convolutions = kernels.map((kernel) => new Convolution(attention, kernel));
    this.#norm = weights.get("layer_norm.weight").floats();
    this.#layers = Array.from({ length: LAYERS }, (_, i) => {
      const name = `layers.${i}`;
      const norm = (part: string) => ({ weight: weights.get(`${name}.${part}.weight`).floats() });
      return new TransformerEncoderLayer(
        attention,
        { heads: HEADS, activation: "gelu", normFirst: true, eps: EPSILON },
        {
          selfAttention: selfAttention(weights, `${name}.self_attn`),
          linear1: projection(weights, `${name}.mlp.fc1`),
          linear2: projection(weights, `${name}.mlp.fc2`),
          norm1: norm("input_layernorm"),
          norm2: norm("post_attention_layernorm"),
        },
      );
    });
  }

  /**
   * Sound at 16 kHz → [1, frames, 288]; undefined where it is too short for a frame. `how` its frames look at each
   * other, unless as they were trained to.
   */
  encode(sound: Float32Array, how: EncoderForwardOptions = {}): Tensor | undefined {
    const front = this.#front(sound);
    if (!front) return undefined;
    let x: Tensor = front;
    for (const layer of this.#layers) x = layer.forward(x, { rotary: ROTARY, ...how }).output;
    return layerNorm(this.#attention, x, { weight: this.#norm, eps: EPSILON }).output;
  }

  dispose(): void {
    for (const part of [...this.#convolutions, ...this.#layers]) part.dispose();
  }

  #front(sound: Float32Array): Tensor | undefined {
    const [first, second, third] = this.#convolutions;
    if (third.rows(second.rows(first.rows(sound.length))) === 0) return undefined;
    const attention = this.#attention;
    using samples = attention.allocate([sound.length, 1]);
    samples.data.set(sound);
    using one = first.forward(samples);
    tanh(one);
    // One group, so that all numbers are normed together; its factors are in the next kernel.
    const whole = one.view(0, [1, one.dims[0] * one.dims[1]]);
    layerNorm(attention, whole, { eps: EPSILON, out: whole });
    using two = second.forward(one);
    activate(attention, two, "gelu", { out: two });
    using three = third.forward(two);
    activate(attention, three, "gelu", { out: three });
    return tensor(three.data.slice(), [1, three.dims[0], SIZE]);
  }
}

function tanh({ data }: AllocatedTensor): void {
  for (let i = 0; i < data.length; i++) data[i] = Math.tanh(data[i]);
}

/** A convolution of x · factor + addend for each channel, as one of x. */
function normed(
  kernel: {
    weight: Float32Array;
    bias: Float32Array;
    channels: number;
    taps: number;
    stride: number;
  },
  factor: Float32Array,
  addend: Float32Array,
) {
  const { channels, taps } = kernel;
  const weight = kernel.weight.slice();
  const bias = Float64Array.from(kernel.bias);
  for (let at = 0; at < weight.length; at++) {
    const channel = Math.floor(at / taps) % channels;
    bias[Math.floor(at / (taps * channels))] += weight[at] * addend[channel];
    weight[at] *= factor[channel];
  }
  return { ...kernel, weight, bias: Float32Array.from(bias) };
}
