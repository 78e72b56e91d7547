// Transformer layers of every form, small, with seeded parameters by PyTorch's names.

import { type Tensor, tensor } from "wasm-attention";
import {
  decoderFromPyTorch,
  encoderFromPyTorch,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
} from "wasm-attention/blocks";
import { randomArray, type Whole } from "./engines";
import type { Form, Parameters } from "./reference-transformer";

export const [batch, rows, memoryRows, size, hidden, heads] = [2, 5, 7, 8, 12, 2];
export const memoryLengths = [7, 4];

const common = { batch, size, heads, rows, memoryRows, memoryLengths };
export const forms: Form[] = [false, true].flatMap((decoder) =>
  [false, true].flatMap((normFirst): Form[] => [
    { ...common, decoder, normFirst, activation: "relu", centred: true, causal: decoder },
    { ...common, decoder, normFirst, activation: "gelu", centred: true, causal: false },
    { ...common, decoder, normFirst, activation: "silu", centred: false, causal: true },
  ]),
);

/** The same with rotary embeddings, Llama's form among them. */
export const rotaryForms: Form[] = [
  ...[forms[1], forms[5], forms[9]].map((form) => ({ ...form, positions: [3, 50] })),
];

/** [out, in] by PyTorch's names; gated where the activation is silu. */
export function parametersOf(
  { decoder, activation }: Form,
  seed = 1,
): Record<string, Float32Array> {
  const sizes: Record<string, number> = {};
  for (const name of decoder ? ["self_attn", "multihead_attn"] : ["self_attn"]) {
    sizes[`${name}.in_proj_weight`] = 3 * size * size;
    sizes[`${name}.in_proj_bias`] = 3 * size;
    sizes[`${name}.out_proj.weight`] = size * size;
    sizes[`${name}.out_proj.bias`] = size;
  }
  for (const name of activation === "silu" ? ["linear1", "gate"] : ["linear1"]) {
    sizes[`${name}.weight`] = hidden * size;
    sizes[`${name}.bias`] = hidden;
  }
  sizes["linear2.weight"] = size * hidden;
  sizes["linear2.bias"] = size;
  for (const name of decoder ? ["norm1", "norm2", "norm3"] : ["norm1", "norm2"]) {
    sizes[`${name}.weight`] = size;
    sizes[`${name}.bias`] = size;
  }
  const entries = Object.entries(sizes);
  return Object.fromEntries(
    entries.map(([name, count], i) => [name, randomArray(count, seed * 100 + i)]),
  );
}

/** As `nn.Module.state_dict()` gives it. */
export const dictOf = (parameters: Record<string, Float32Array>) =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, data]) => {
      const ins = name === "linear2.weight" ? hidden : size;
      const matrix = /weight$/.test(name) && !name.startsWith("norm");
      return [name, tensor(data, matrix ? [data.length / ins, ins] : [data.length])];
    }),
  );

export function layerOf(
  attention: Whole,
  form: Form,
  parameters: Record<string, Float32Array>,
  more: { scale?: number } = {},
) {
  const { decoder } = form;
  const config = { ...configOf(form), ...more };
  const { "gate.weight": gate, ...others } = dictOf(parameters);
  if (!gate) return (decoder ? decoderFromPyTorch : encoderFromPyTorch)(attention, others, config);
  const weights = weightsOf(form, parameters);
  if (decoder) return new TransformerDecoderLayer(attention, config, weights);
  const { crossAttention: _, norm3: __, ...own } = weights;
  return new TransformerEncoderLayer(attention, config, own);
}

export function configOf({ activation, normFirst, centred }: Form) {
  const norm = centred ? "layerNorm" : "rmsNorm";
  return { heads, activation, normFirst, norm } as const;
}

/** As a decoder's constructor takes them. */
export function weightsOf({ decoder }: Form, parameters: Record<string, Float32Array>) {
  const others = dictOf(parameters);
  const matrix = (name: string) => ({
    weight: others[`${name}.weight`],
    order: "out,in" as const,
    bias: others[`${name}.bias`],
  });
  const attend = (name: string) => {
    const all = [0, 1, 2].map((index) => ({
      weight: tensor(
        parameters[`${name}.in_proj_weight`].subarray(index * size ** 2, (index + 1) * size ** 2),
        [size, size],
      ),
      order: "out,in" as const,
      bias: parameters[`${name}.in_proj_bias`].subarray(index * size, (index + 1) * size),
    }));
    return { query: all[0], key: all[1], value: all[2], output: matrix(`${name}.out_proj`) };
  };
  const norms = (name: string) => ({
    weight: others[`${name}.weight`],
    bias: others[`${name}.bias`],
  });
  return {
    selfAttention: attend("self_attn"),
    crossAttention: attend(decoder ? "multihead_attn" : "self_attn"),
    linear1: matrix("linear1"),
    ...("gate.weight" in others && { gate: matrix("gate") }),
    linear2: matrix("linear2"),
    norm1: norms("norm1"),
    norm2: norms("norm2"),
    norm3: norms("norm3"),
  };
}

export const x = tensor(randomArray(batch * rows * size, 7, 2), [batch, rows, size]);
export const memory = tensor(randomArray(batch * memoryRows * size, 8), [batch, memoryRows, size]);

export function forward(
  layer: TransformerEncoderLayer | TransformerDecoderLayer,
  { causal, positions }: Form,
  options: { record?: true; dropout?: { probability: number; seed: number }; out?: Tensor } = {},
  given = x,
) {
  const cross = { keyLengths: memoryLengths };
  const turning = positions && { rotary: { pairing: "interleaved" } as const, positions };
  return layer instanceof TransformerDecoderLayer
    ? layer.forward(given, memory, { causal, cross, ...turning, ...options })
    : layer.forward(given, { causal, ...turning, ...options });
}

export const nameOf = ({ decoder, normFirst, activation, centred, positions }: Form) =>
  `${decoder ? "decoder" : "encoder"}, norm ${normFirst ? "first" : "last"}, ${activation}, ${centred ? "layerNorm" : "rmsNorm"}${positions ? ", rotary" : ""}`;

export const doubles = (parameters: Record<string, Float32Array>): Parameters =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, data]) => [name, Float64Array.from(data)]),
  );
