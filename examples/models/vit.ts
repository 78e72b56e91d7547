// A vision transformer (Dosovitskiy et al. 2021) as Hugging Face's transformers saves it.

import { type Attention, linear, prepareLinear, type Tensor, tensor } from "wasm-attention";
import { encoderFromTransformers, layerNorm } from "wasm-attention/blocks";
import { pick, type WeightFile } from "wasm-attention/weights";

type Config = Readonly<
  Record<"num_hidden_layers" | "num_attention_heads" | "layer_norm_eps", number>
>;

/** An image [C, S, S] → logits [1, classes]. */
export async function vit(attention: Attention<"blocks">, file: WeightFile, config: Config) {
  const { num_hidden_layers: count, num_attention_heads: heads, layer_norm_eps: eps } = config;
  const read = async (name: string) =>
    [await file.tensor(`${name}.weight`), await file.tensor(`${name}.bias`)] as const;
  const [{ data: kernel, dims }, patchBias] = await read(
    "vit.embeddings.patch_embeddings.projection",
  );
  const [E, C, P] = dims;
  const matrix = tensor(kernel, [E, C * P * P]);
  const project = prepareLinear(attention, matrix, { order: "out,in", bias: patchBias });
  const first = await file.tensor("vit.embeddings.cls_token");
  const places = await file.tensor("vit.embeddings.position_embeddings");
  const layers = Array.from({ length: count }, async (_, i) => {
    const own = await pick(file, `vit.encoder.layer.${i}.`);
    return encoderFromTransformers(attention, own, { model: "vit", heads, eps });
  });
  const encoder = await Promise.all(layers);
  const [weight, bias] = await read("vit.layernorm");
  const [classes, classBias] = await read("classifier");
  const head = prepareLinear(attention, classes, { order: "out,in", bias: classBias });
  return ({ data: pixels, dims: [, S] }: Tensor): Tensor => {
    const [n, K] = [S / P, C * P * P];
    const patches = Float32Array.from({ length: n * n * K }, (_, at) => {
      const [patch, c, y, x] = [at / K, (at % K) / P ** 2, (at / P) % P, at % P].map(Math.floor);
      return pixels[(c * S + Math.floor(patch / n) * P + y) * S + (patch % n) * P + x];
    });
    const rows = linear(attention, tensor(patches, [n * n, K]), project);
    const input = [...first.data, ...rows.data].map((value, i) => value + places.data[i]);
    const start = tensor(Float32Array.from(input), [1, n * n + 1, E]);
    const { data } = encoder.reduce((x, layer) => layer.forward(x).output, start);
    const row = layerNorm(attention, tensor(data.slice(0, E), [1, E]), { weight, bias, eps });
    return linear(attention, row.output, head);
  };
}
