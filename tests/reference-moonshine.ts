// Moonshine (Jeffries et al. 2024) in float64, from its formulas:
//
//   front     gelu(conv3(gelu(conv2(norm of all(tanh(conv1(sound))) · factor + addend))))
//   encoder   x + attention(norm(x)), x + fc2(gelu(fc1(norm(x)))), at the end norm(x)
//   decoder   x + attention to itself, x + attention to the encoded, x + down(up · silu(gate)), norm(x) · tableᵀ
//
// Norms have a factor and no addend. Of a head's numbers the first 32 turn: pair i, of neighbours, at position p
// by p / 10000^(i / 16). Weights of products are [in, out].

import type { Stored } from "../examples/speech/weights";
import { activations, norm, softmaxRow } from "./reference-blocks";

export type Parameters = ReadonlyMap<string, Stored>;

const [SIZE, LAYERS, HEADS, TURNING] = [288, 6, 8, 32];
const DEPTH = SIZE / HEADS;

export class Reference {
  readonly #parameters: Parameters;

  constructor(parameters: Parameters) {
    this.#parameters = parameters;
  }

  /** [frames · 288] */
  encode(sound: ArrayLike<number>): Float64Array {
    let x: Float64Array = this.#convolve("conv1", Float64Array.from(sound), 64).map(Math.tanh);
    x = norm(x, { columns: x.length, centred: true, eps: 1e-5 });
    const [factor, addend] = ["groupnorm.Mul", "groupnorm.Add"].map((name) => this.#of(name));
    x = x.map((value, i) => value * factor[i % SIZE] + addend[i % SIZE]);
    x = this.#convolve("conv2", x, 3).map(activations.gelu.of);
    x = this.#convolve("conv3", x, 2).map(activations.gelu.of);
    for (let i = 0; i < LAYERS; i++) {
      const name = `layers.${i}`;
      const read = this.#norm(`${name}.input_layernorm`, x);
      x = add(x, this.#attend(`${name}.self_attn`, read, read, { turning: true, causal: false }));
      const normed = this.#norm(`${name}.post_attention_layernorm`, x);
      const hidden = this.#linear(`${name}.mlp.fc1`, normed).map(activations.gelu.of);
      x = add(x, this.#linear(`${name}.mlp.fc2`, hidden));
    }
    return this.#norm("layer_norm", x);
  }

  /** Logits [ids · vocabulary]. */
  decode(encoded: Float64Array, ids: readonly number[]): Float64Array {
    const table = this.#of("model.decoder.embed_tokens.weight");
    let x = Float64Array.from(ids.flatMap((id) => [...table.subarray(id * SIZE, (id + 1) * SIZE)]));
    for (let i = 0; i < LAYERS; i++) {
      const name = `model.decoder.layers.${i}`;
      const read = this.#norm(`${name}.input_layernorm`, x);
      x = add(x, this.#attend(`${name}.self_attn`, read, read, { turning: true, causal: true }));
      const asked = this.#norm(`${name}.post_attention_layernorm`, x);
      const options = { turning: false, causal: false };
      x = add(x, this.#attend(`${name}.encoder_attn`, asked, encoded, options));
      const both = this.#linear(`${name}.mlp.up_proj`, this.#norm(`${name}.final_layernorm`, x));
      const columns = both.length / ids.length;
      const hidden = Float64Array.from({ length: both.length / 2 }, (_, at) => {
        const [row, column] = [Math.floor((2 * at) / columns), at % (columns / 2)];
        const gate = both[row * columns + columns / 2 + column];
        return both[row * columns + column] * activations.silu.of(gate);
      });
      x = add(x, this.#linear(`${name}.mlp.down_proj`, hidden));
    }
    return transposed(this.#norm("model.decoder.norm", x), table);
  }

  #of(name: string): Float32Array {
    const found = this.#parameters.get(name);
    if (!found) throw new Error(`no ${name}`);
    return found.floats();
  }

  #norm(name: string, x: Float64Array): Float64Array {
    const weight = Float64Array.from(this.#of(`${name}.weight`));
    return norm(x, { columns: SIZE, centred: true, eps: 1e-5, weight });
  }

  #linear(name: string, x: Float64Array): Float64Array {
    const { dims } = this.#parameters.get(`${name}.MatMul`) as Stored;
    const [inputs, outputs] = dims;
    const weight = this.#of(`${name}.MatMul`);
    const bias = this.#parameters.has(`${name}.bias`) ? this.#of(`${name}.bias`) : undefined;
    const y = new Float64Array((x.length / inputs) * outputs);
    for (let row = 0; row < x.length / inputs; row++)
      for (let out = 0; out < outputs; out++) {
        let sum = bias?.[out] ?? 0;
        for (let i = 0; i < inputs; i++) sum += x[row * inputs + i] * weight[i * outputs + out];
        y[row * outputs + out] = sum;
      }
    return y;
  }

  #convolve(name: string, x: Float64Array, stride: number): Float64Array {
    const { dims } = this.#parameters.get(`${name}.weight`) as Stored;
    const bias = this.#parameters.has(`${name}.bias`) ? this.#of(`${name}.bias`) : undefined;
    return convolution(x, { weight: this.#of(`${name}.weight`), dims, stride, bias });
  }

  #attend(
    name: string,
    x: Float64Array,
    memory: Float64Array,
    { turning, causal }: { turning: boolean; causal: boolean },
  ): Float64Array {
    const rotary = (data: Float64Array) => (turning ? turned(data) : data);
    const query = rotary(this.#linear(`${name}.q_proj`, x));
    const key = rotary(this.#linear(`${name}.k_proj`, memory));
    const value = this.#linear(`${name}.v_proj`, memory);
    const [rows, keys] = [x.length / SIZE, memory.length / SIZE];
    const mixed = new Float64Array(x.length);
    for (let i = 0; i < rows; i++)
      for (let h = 0; h < HEADS; h++) {
        const scores = Array.from({ length: keys }, (_, j) => {
          if (causal && j > i) return -Infinity;
          let dot = 0;
          for (let d = h * DEPTH; d < (h + 1) * DEPTH; d++)
            dot += query[i * SIZE + d] * key[j * SIZE + d];
          return dot / Math.sqrt(DEPTH);
        });
        const weights = softmaxRow(scores, false);
        for (let d = h * DEPTH; d < (h + 1) * DEPTH; d++)
          for (let j = 0; j < keys; j++) mixed[i * SIZE + d] += weights[j] * value[j * SIZE + d];
      }
    return this.#linear(`${name}.dense`, mixed);
  }
}

/** y[t, o] = b[o] + Σ w[o, c, k] · x[t · stride + k, c] */
export function convolution(
  x: ArrayLike<number>,
  kernel: {
    weight: ArrayLike<number>;
    dims: readonly number[];
    stride: number;
    bias?: ArrayLike<number> | undefined;
  },
): Float64Array {
  const { weight, stride, bias } = kernel;
  const [outputs, channels, taps] = kernel.dims;
  const rows = Math.max(0, Math.floor((x.length / channels - taps) / stride) + 1);
  const y = new Float64Array(rows * outputs);
  for (let t = 0; t < rows; t++)
    for (let o = 0; o < outputs; o++) {
      let sum = bias?.[o] ?? 0;
      for (let c = 0; c < channels; c++)
        for (let k = 0; k < taps; k++)
          sum += weight[(o * channels + c) * taps + k] * x[(t * stride + k) * channels + c];
      y[t * outputs + o] = sum;
    }
  return y;
}

function turned(data: Float64Array): Float64Array {
  const result = data.slice();
  for (let at = 0; at < data.length; at += DEPTH) {
    const position = Math.floor(at / SIZE);
    for (let i = 0; i < TURNING / 2; i++) {
      const angle = position / 10000 ** (i / (TURNING / 2));
      const [a, b] = [data[at + 2 * i], data[at + 2 * i + 1]];
      result[at + 2 * i] = a * Math.cos(angle) - b * Math.sin(angle);
      result[at + 2 * i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
    }
  }
  return result;
}

/** x · tableᵀ */
function transposed(x: Float64Array, table: Float32Array): Float64Array {
  const words = table.length / SIZE;
  return Float64Array.from({ length: (x.length / SIZE) * words }, (_, at) => {
    const [row, word] = [Math.floor(at / words), at % words];
    let sum = 0;
    for (let i = 0; i < SIZE; i++) sum += x[row * SIZE + i] * table[word * SIZE + i];
    return sum;
  });
}

const add = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i]);
