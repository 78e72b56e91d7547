// T5 (Raffel et al. 2020) as Hugging Face's transformers saves it, also with gates (T5 1.1, Flan-T5).

import { type Attention, linear, prepareLinear, type Tensor } from "wasm-attention";
import * as blocks from "wasm-attention/blocks";
import { relativePositionBias } from "wasm-attention/positions";
import { pick, type WeightFile } from "wasm-attention/weights";

type Config = Readonly<Record<"num_layers" | "num_heads" | "layer_norm_epsilon", number>>;
type Ids = readonly number[];

/** Tokens of a source, and those written so far → logits [1, L, vocabulary] of what follows each. */
export async function t5(attention: Attention<"blocks">, file: WeightFile, config: Config) {
  const form = { model: "t5", heads: config.num_heads, eps: config.layer_norm_epsilon } as const;
  const stack = async <Layer>(name: string, make: (own: Map<string, Tensor>) => Layer) => {
    const at = (i: number) => `${name}.block.${i}.`;
    const layers: Layer[] = [];
    for (let i = 0; i < config.num_layers; i++) layers.push(make(await pick(file, at(i))));
    const bias = await file.tensor(`${at(0)}layer.0.SelfAttention.relative_attention_bias.weight`);
    const weight = await file.tensor(`${name}.final_layer_norm.weight`);
    const norm = (x: Tensor) => blocks.rmsNorm(attention, x, { weight, eps: form.eps }).output;
    const mask = ({ length }: Ids, bidirectional: boolean) =>
      relativePositionBias(bias, { queries: length, keys: length, bidirectional });
    return { layers, norm, mask };
  };
  const encoder = await stack("encoder", (w) => blocks.encoderFromTransformers(attention, w, form));
  const decoder = await stack("decoder", (w) => blocks.decoderFromTransformers(attention, w, form));
  const table = await file.tensor("shared.weight");
  const own = file.entries.has("lm_head.weight") ? await file.tensor("lm_head.weight") : undefined;
  const scaled = table.data.map((value) => value / Math.sqrt(table.dims[1]));
  const weight = own ?? { data: scaled, dims: table.dims };
  const head = prepareLinear(attention, weight, { order: "out,in" });
  const embed = (ids: Ids) =>
    blocks.embedding(attention, table, { data: [...ids], dims: [1, ids.length] });
  return (source: Ids, written: Ids): Tensor => {
    const around = { mask: encoder.mask(source, true) };
    const before = { mask: decoder.mask(written, false), causal: true };
    const read = encoder.layers.reduce(
      (x, layer) => layer.forward(x, around).output,
      embed(source),
    );
    const memory = encoder.norm(read);
    const last = decoder.layers.reduce(
      (x, layer) => layer.forward(x, memory, before).output,
      embed(written),
    );
    return linear(attention, decoder.norm(last), head);
  };
}
